"""An objective of one's own that does not fit is one line, at the start or of its trials."""

from __future__ import annotations

from pathlib import Path

import pytest
from own_parts import GAIN_FILES, assert_refused, forget, run_gain, write_page

from lttune.store.plain_json import read_json

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture
def gain_files(cwd: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the page's files, worked in, whose function nobody has made known."""
    write_page(cwd, GAIN_FILES)
    forget(monkeypatch)
    return cwd


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("return rows[-1]['accuracy']", "cannot be used on a trajectory of 4 levels: KeyError"),
        ("return rows[1]['val_accuracy']", "cannot be used on a trajectory of 1 level: IndexErr"),
        (
            "return sum(row['end_val_loss'] for row in rows)",
            "cannot be used on a trajectory of 1 level, the last of which diverged: TypeError",
        ),
        ("return None", "must return a finite number, at most 1e+30 in size, got None on a traj"),
        ("return float('inf')", "must return a finite number, at most 1e+30 in size, got inf on"),
        ("raise SystemExit('enough')", "cannot be used on a trajectory of 4 levels: SystemExit"),
        ("import random; return random.random()", "must return the same number whenever it is"),
        ("return rows[-1]['test_accuracy']", "must not go by test examples, which a search"),
    ],
)
def test_one_that_does_not_fit_is_one_line_before_anything_starts(gain_files, body, told):
    source = f"def bad(rows, classes):\n    {body}\n"
    assert_refused(gain_files, "--objective.name", "bad", source, told, run=run_gain)


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--objective.name", "none.py:bad"), "objective.name: none.py:bad cannot be imported: "),
        (("--objective.name", "gain.py:no"), "objective.name: gain.py:no cannot be imported: "),
        (("--objective.density", "0.1"), "objective.density must be reached by the base config"),
    ],
)
def test_settings_that_do_not_fit_are_one_line(gain_files, flags, told):
    code, said = run_gain(gain_files, "--name", "bad", *flags)
    assert code == 2
    assert said.startswith(f"lttune: error: {told}")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (
            "--objective.name ./mine.py:part",
            "objective.direction must be maximize or minimize with an objective of your own "
            "(./mine.py:part), got None",
        ),
        (
            "--objective.direction minimize",
            "objective.direction must be None with the objective 'accuracy_auc', which knows its "
            "own, got 'minimize'",
        ),
    ],
)
def test_a_direction_that_is_missing_or_read_by_none_is_one_line(refused, cwd, flags, told):
    code, said = refused(*flags.split())
    assert code == 2
    assert said.startswith(f"lttune: error: {told}; see python ")
    assert said.count("\n") == 1


def test_one_that_fails_later_fails_its_trials_in_a_line_each(gain_files):
    """It knows made-up trajectories from real ones."""
    text = "def late(rows, classes):\n    assert rows[0]['numerics'] == 'made up', 'late'\n"
    (gain_files / "late.py").write_text(text + "    return 1\n")
    flags = ("--name", "late", "--objective.name", "late.py:late", "--phases", "anchor")
    code, said = run_gain(gain_files, *flags)
    assert code == 1
    why = "cannot be used on a trajectory of 4 levels: AssertionError: late (late.py, line 2)"
    (trial,) = read_json(gain_files / "results/late/trials.json")["trials"]
    assert trial["state"] == "failed"
    assert trial["error"] == f"ConfigError: objective.name: late.py:late {why}"
    assert trial["values"] is None
    assert why in said
    assert "Traceback" not in said
