"""`lttune new` writes a study file that fits, is clean, and runs."""

from __future__ import annotations

import errno
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from bounded import largest_file
from own_networks import left, run, written

from lttune.__main__ import main as lttune
from lttune.commands.study_file.fitting import fitted_settings
from lttune.commands.study_file.scales import SMALLER, paper_scale, quick_scale
from lttune.commands.study_file.text import study_text
from lttune.data import load
from lttune.records.folder import read_answer
from lttune.records.schema import read
from lttune.store.plain_json import read_json

PLAIN = Path(__file__).parents[2] / "pyproject.toml"

NORMED = """
from torch import nn

def network(shape, classes):
    return nn.Sequential(
        nn.Conv2d(shape[0], 20, 3, padding=1, bias=False),
        nn.BatchNorm2d(20),
        nn.ReLU(),
        nn.Conv2d(20, 1, 1),
        nn.Flatten(),
        nn.Linear(shape[1] * shape[2], 20),
        nn.ReLU(),
        nn.Linear(20, classes),
    )
"""
"""A convolution of 180 weights on grey pictures, one of 20, and two linear layers."""


def own_pictures(path: Path) -> Path:
    digits = load("digits")
    x, y = digits.train_x[:400], digits.train_y[:400]
    np.savez(path, train_x=x, train_y=y, test_x=digits.test_x[:100], test_y=digits.test_y[:100])
    return path


def ran(folder: Path, name: str, *flags: str) -> str:
    """Runs a written file in the folder that is worked in; returns what it printed."""
    code, text = run(folder, *flags, file=f"{name}.py")
    assert code == 0, text
    return text


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_written_study_of_digits_and_a_lenet_runs_to_its_answer(cwd, capsys):
    assert lttune(["new", "mine"]) == 0
    told = capsys.readouterr().out
    assert "wrote mine.py: lenet-300-100 on digits, 50,200 of 50,610 parameters can be" in told
    assert "varied: train.lr, train.batch_size, prune.fractions.fc\n" in told
    # As fast as a busy machine makes it: the smallest scale has the same parts.
    ran(cwd, "mine", "--lottery.train.steps", "20", "--lottery.train.eval-every", "10")
    folder = cwd / "results" / "mine-quick"
    trials = read_json(folder / "trials.json")["trials"]
    assert {trial["state"] for trial in trials} == {"complete"}
    assert {trial["phase"] for trial in trials} == {"anchor", "design", "search"}
    rows = read(folder / "records.parquet")
    anchor = [row for row in rows if row["phase"] == "anchor"]
    assert {row["branch"] for row in anchor} == {"trunk", "reinit", "random"}
    reached = read_json(folder / "study.json")["config"]["objective"]["density"]
    last = {row["trial"]: row["density"] for row in rows if row["branch"] == "trunk"}
    assert max(last.values()) <= reached
    assert len(last) == len(trials)
    assert "which hyperparameters decide" in " ".join(read_answer(folder)).lower()


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_written_study_of_own_pictures_and_an_own_network_prunes_exact_counts(cwd):
    own_pictures(cwd / "own.npz")
    written(cwd, NORMED)
    words = ["new", "two", "--data", "./own.npz", "--model", "./net.py:network"]
    assert lttune(words) == 0
    ran(cwd, "two", "--lottery.train.steps", "20", "--lottery.train.eval-every", "10")
    folder = cwd / "results" / "two-quick"
    trials = read_json(folder / "trials.json")["trials"]
    anchors = {trial["number"] for trial in trials if trial["phase"] == "anchor"}
    rows = [row for row in read(folder / "layers.parquet") if row["trial"] in anchors]
    # The convolution of 20 weights stays whole: it has few.
    fractions = {"0": "0.2", "3": "0", "5": "0.2", "7": "0.1"}
    assert {row["layer"] for row in rows} == set(fractions)
    for row in rows:
        assert row["surviving"] == left(row["size"], fractions[row["layer"]], row["level"])
    varied = {path for trial in trials for path in trial["hparams"]}
    assert varied == {"train.lr", "train.batch_size", "prune.fractions.fc", "prune.fractions.conv"}


@pytest.mark.parametrize(
    ("data", "model"), [("digits", "lenet-20-10"), ("digit-scenes", "conv-2")], ids=str
)
def test_a_written_file_is_clean_at_any_width(cwd, data, model):
    path = cwd / "clean.py"
    settings = fitted_settings(data, model)
    scales = {"quick": paper_scale(settings), "paper": paper_scale(settings)}
    path.write_text(study_text("clean", settings, scales))
    for words in (
        ("check", "--isolated"),
        ("check", "--config", str(PLAIN)),
        ("format", "--check", "--isolated"),
        ("format", "--check", "--isolated", "--line-length", "100"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *words, "--no-cache", path],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_names_of_files_stand_in_it_as_they_are(cwd):
    path = own_pictures(cwd / 'a "b" \\ c.npz')
    settings = fitted_settings(str(path), "lenet-20-10")
    text = study_text("odd", settings, {"quick": paper_scale(settings)})
    (cwd / "odd.py").write_text(text)
    made = runpy.run_path("odd.py")
    assert made["DATA"] == str(path)
    assert str(path) in made["__doc__"]


def fractions_of(data: str, model: str) -> dict[str, float]:
    return dict(fitted_settings(data, model).lottery.prune.fractions)


def varied_of(data: str, model: str) -> list[str]:
    return [factor.path for factor in fitted_settings(data, model).factors]


def test_fractions_are_those_of_the_networks_layers(cwd):
    assert fractions_of("digits", "lenet-20-10") == {"fc": 0.2, "out": 0.1}
    assert fractions_of("digits", "resnet-20") == {"conv": 0.2, "shortcut": 0.0, "out": 0.1}
    only = "from torch import nn\n\ndef network(shape, classes):\n    return nn.Sequential(\n"
    only += "        nn.Flatten(), nn.Linear(shape[0] * shape[1] * shape[2], classes))\n"
    name = written(cwd, only)
    # With half of it a network of one layer would be pruned at half the rate.
    assert fractions_of("digits", name) == {"out": 0.2}
    assert varied_of("digits", name) == ["train.lr", "train.batch_size", "prune.fractions.out"]
    # Kinds with hardly any weights are pruned, and not varied.
    assert varied_of("digits", "resnet-20")[2:] == ["prune.fractions.conv"]


def test_few_pictures_have_smaller_batches(cwd):
    digits = load("digits")
    path = cwd / "few.npz"
    np.savez(path, x=digits.train_x[:60], y=digits.train_y[:60])
    settings = fitted_settings("./few.npz", "lenet-20-10")
    examples = len(settings.dataset.train_y) - settings.dataset.validation
    assert settings.lottery.train.batch_size == examples // 4
    (batch,) = [f.distribution for f in settings.factors if f.path == "train.batch_size"]
    assert (batch.low, batch.high) == (examples // 4 // 3, 3 * (examples // 4))


def test_scales_reach_one_density_at_the_slowest_fractions(cwd):
    settings = fitted_settings("digits", "lenet-20-10")
    paper = paper_scale(settings)
    count = sum(settings.weights.values())
    kept = sum(
        left(size, "0.1" if layer == "out" else "0.2", 12)
        for layer, size in settings.weights.items()
    )
    assert paper.density == pytest.approx(kept / count, abs=1e-3)
    assert paper.density >= kept / count
    levels = next(n for n in range(200) if _slowest(settings, n) / count <= paper.density)
    assert paper.levels == levels > 12
    quick = quick_scale(settings)
    assert (quick.steps, quick.points) in {(steps, points) for _, steps, points, *_ in SMALLER}


def _slowest(settings, level: int) -> int:
    return sum(left(size, "0.1", level) for size in settings.weights.values())


def refused(capsys, *words: str) -> str:
    try:
        code = lttune(["new", *words])
    except SystemExit as end:
        code = end.code
    assert code == 2
    return capsys.readouterr().err


def test_nothing_is_overwritten(cwd, capsys):
    (cwd / "mine.py").write_text("mine")
    text = refused(capsys, "mine")
    assert "NAME must be of a file that is not there yet, got 'mine.py'" in text
    assert (cwd / "mine.py").read_text() == "mine"
    # A link to a file that is not there either.
    (cwd / "link.py").symlink_to(cwd / "elsewhere.py")
    assert "not there yet" in refused(capsys, "link")
    assert not (cwd / "elsewhere.py").exists()


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (("random",), ["NAME must be another than that of a module, which the file would hide"]),
        (("analysis",), ["NAME must be another than that of a module"]),
        (("mine.py",), ["NAME must be without .py, which the file gets by itself, got 'mine.py'"]),
        (("../mine",), ["name must be 1 to 64 letters"]),
        (("my study",), ["starting with a letter or digit, got 'my study'"]),
        (
            ("x" * 60,),
            [
                f"name must be shorter by 2, as its studies are called NAME-paper and so on, "
                f"got '{'x' * 60}'"
            ],
        ),
        (
            ("mine", "--data", "digitz", "--model", "resnet"),
            ["data.name must be one of", "model.name must be lenet-H1-H2-..."],
        ),
        (
            ("mine", "--model", "./none.py:network"),
            ["model.name: ./none.py:network cannot be imported"],
        ),
        (("mine", "--model", "torchvision:resnet19"), ["resnet19"]),
        (("mine", "--modle", "lenet5"), ["did you mean --model?"]),
    ],
    ids=str,
)
def test_mistakes_are_told_and_nothing_is_written(cwd, capsys, words, lines):
    text = refused(capsys, *words)
    assert len(text.splitlines()) == len(lines)
    for line, part in zip(text.splitlines(), lines, strict=True):
        assert line.startswith("lttune: error: ")
        assert part in line
    assert list(cwd.iterdir()) == []


def test_half_a_file_does_not_keep_the_next_one_from_being_written(cwd, capsys):
    with largest_file(1_000):
        assert lttune(["new", "mine", "--data", "digits"]) == 74
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.startswith("lttune: error: mine.py cannot be written: File too large; a file may")
    assert list(cwd.iterdir()) == []


def test_why_it_was_not_written_is_told_where_nothing_can_be_removed(cwd, capsys, monkeypatch):
    def refuse(path, missing_ok=False):
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(Path, "unlink", refuse)
    with largest_file(1_000):
        assert lttune(["new", "mine", "--data", "digits"]) == 74
    assert "lttune: error: mine.py cannot be written: File too large" in capsys.readouterr().err
