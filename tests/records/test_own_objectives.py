"""An objective of one's own: what it is called with, what it may give, how that is averaged."""

from __future__ import annotations

import pytest
from own_parts import forget, known

from lttune.errors import ConfigError, StorageError
from lttune.records.objectives import ObjectiveConfig, objectives
from lttune.records.own import OBJECTIVE, describe_part


def row(level, accuracy, replicate=0, branch="trunk", diverged=False):
    found = {"replicate": replicate, "branch": branch, "level": level, "density": 0.5**level}
    return found | {"val_accuracy": accuracy, "diverged": diverged}


ROWS = [row(0, 0.9), row(1, 0.95), row(0, 0.8, 1), row(1, 0.7, 1), row(1, 0.1, branch="reinit")]


def number(tmp_path, body, rows=ROWS):
    source = f"def part(rows, classes):\n    {body}\n"
    config = ObjectiveConfig(name=known(tmp_path, OBJECTIVE, source), direction="maximize")
    return objectives(rows, 10, config)


def test_it_is_called_with_each_replicates_trunk_and_the_classes_and_averaged(tmp_path):
    body = "assert len(rows) == 2; return rows[-1]['val_accuracy'] - rows[0]['val_accuracy']"
    assert number(tmp_path, body) == [pytest.approx((0.05 - 0.1) / 2)]
    assert number(tmp_path, "return classes") == [10.0]
    assert number(tmp_path, "return sum(r['branch'] == 'trunk' for r in rows)") == [2.0]


def test_what_it_does_to_its_rows_reaches_nobody(tmp_path):
    before = [dict(one) for one in ROWS]
    number(tmp_path, "rows[0].clear(); rows.pop(); return 1")
    assert before == ROWS


@pytest.mark.parametrize("given", ["np.float32(0.5)", "np.int64(3)", "True + 1", "-1e30"])
def test_numbers_of_all_kinds_are_taken(tmp_path, given):
    (found,) = number(tmp_path, f"import numpy as np; return {given}")
    assert type(found) is float


@pytest.mark.parametrize(
    ("given", "got"),
    [
        ("float('nan')", "nan"),
        ("float('inf')", "inf"),
        ("2e30", "2e+30"),
        ("10 ** 400", "1000"),
        ("True", "True"),
        ("None", "None"),
        ("'0.5'", "'0.5'"),
        ("[0.5]", "[0.5]"),
        ("1j", "1j"),
    ],
)
def test_what_is_no_finite_number_is_one_line(tmp_path, given, got):
    with pytest.raises(ConfigError) as refused:
        number(tmp_path, f"return {given}")
    said = str(refused.value)
    rule = "must return a finite number, at most 1e+30 in size, got"
    assert said.startswith(f"objective.name: {tmp_path}/own.py:part {rule} {got}")
    assert said.endswith(" on a trajectory of 2 levels")
    assert "\n" not in said


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("return rows[0]['accuracy']", "KeyError: 'accuracy'"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("raise ValueError('one\\ntwo')", "ValueError: one"),
    ],
)
def test_an_error_of_the_function_says_on_what(tmp_path, body, told):
    with pytest.raises(ConfigError) as refused:
        number(tmp_path, body, [row(0, 0.1, diverged=True)])
    assert str(refused.value) == (
        f"objective.name: {tmp_path}/own.py:part cannot be used on a trajectory of 1 level, the "
        f"last of which diverged: {told} (own.py, line 2)"
    )


def test_who_only_reads_has_no_number(monkeypatch):
    forget(monkeypatch)
    config = ObjectiveConfig(name="./mine.py:gain", direction="maximize")
    with pytest.raises(ConfigError, match="must be made known"):
        objectives(ROWS, 10, config)
    describe_part(OBJECTIVE, "./mine.py:gain", "0" * 64)
    with pytest.raises(StorageError, match=r"needs the code of '\./mine\.py:gain'"):
        objectives(ROWS, 10, config)


def test_its_text_is_the_first_line_that_its_function_says_of_itself(tmp_path):
    source = "def part(rows, classes):\n    '''Lead <b> \\ud800 of the ticket.\n\n    More.'''\n"
    name = known(tmp_path, OBJECTIVE, source + "    return 1\n")
    config = ObjectiveConfig(name=name, direction="maximize")
    assert config.text == f"what {name} returns: Lead <b> \\ud800 of the ticket."
