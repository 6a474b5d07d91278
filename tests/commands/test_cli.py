"""The command line ``lttune``: what it offers, what it refuses, how fast it answers."""

from __future__ import annotations

import subprocess
import sys
import time
import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lttune import __main__ as cli
from lttune import __version__
from lttune.data import load
from lttune.errors import DataError, LockedError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def lttune(capsys, monkeypatch):
    """Runs a command; returns its exit code, what it printed and what it complained of."""

    def run(*arguments: str) -> tuple[int, str, str]:
        try:
            code = cli.main(arguments)
        except SystemExit as end:
            code = end.code
        return code, *capsys.readouterr()

    return run


def test_the_overview_has_a_line_for_each_command(lttune):
    code, out, _ = lttune("--help")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].startswith("usage: lttune COMMAND")
    folders = [ROOT / "lttune" / "commands", ROOT / "analysis" / "commands"]
    files = {file.stem for folder in folders for file in folder.glob("[a-z]*.py")}
    # To decide is an action of `lttune claims`.
    assert [line.split()[0] for line in lines[3:]] == sorted(files - {"decide"})
    assert all(line.endswith(".") and len(line.split()) > 2 for line in lines[3:])
    assert lttune("-h")[1] == out
    assert lttune() == (2, "", out)
    assert lttune("--version") == (0, f"lttune {__version__}\n", "")


def test_an_unknown_command_is_refused_with_the_nearest(lttune):
    code, _, complaint = lttune("date")
    assert code == 2
    assert complaint.startswith("lttune: error: command must be one of ")
    assert complaint.endswith("got 'date'; did you mean 'data'?\n")


@pytest.mark.parametrize(
    ("error", "code", "complaint"),
    [
        (DataError("out of order"), 4, "lttune: error: out of order\n"),
        (LockedError("taken"), 75, "lttune: error: taken\n"),
        (KeyboardInterrupt(), 130, "lttune: interrupted\n"),
    ],
)
def test_errors_are_one_line_and_an_exit_code(lttune, monkeypatch, error, code, complaint):
    def fail(*_):
        raise error

    monkeypatch.setattr("lttune.data.load", fail)
    assert lttune("data", "digits") == (code, "", complaint)


@pytest.mark.slow
def test_help_imports_nothing_heavy_and_answers_at_once():
    code = (
        "import sys; from lttune.__main__ import main; main(['--help']);"
        "print([m for m in ('numpy', 'torch', 'tyro', 'ray', 'mlflow') if m in sys.modules])"
    )
    times = []
    for _ in range(3):
        began = time.monotonic()
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        times.append(time.monotonic() - began)
    assert done.stdout.endswith("\n[]\n")
    assert min(times) < 0.5


@pytest.mark.slow
def test_the_module_and_the_script_are_the_same_command():
    done = subprocess.run(
        [sys.executable, "-m", "lttune", "data", "mnits"], capture_output=True, text=True
    )
    assert done.returncode == 2
    # Where starting takes long, a line says that it is at work.
    (line,) = [one for one in done.stderr.splitlines() if not one.startswith("lttune data: ")]
    assert line.startswith(
        "lttune: error: data.name must be one of ./FILE.py:FUNCTION, ./FOLDER, PATH.npz, "
    )
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["scripts"] == {"lttune": "lttune.__main__:main"}


# lttune data.


DIGITS = {
    "class 0": "138 training, 40 test",
    "class 1": "152 training, 30 test",
    "class 2": "137 training, 40 test",
    "class 3": "141 training, 42 test",
    "class 4": "151 training, 30 test",
    "class 5": "143 training, 39 test",
    "class 6": "144 training, 37 test",
    "class 7": "144 training, 35 test",
    "class 8": "141 training, 33 test",
    "class 9": "146 training, 34 test",
}


def test_data_describes_a_dataset(lttune):
    code, out, _ = lttune("data", "digits")
    assert code == 0
    assert {line[:9].rstrip(): line[9:] for line in out.splitlines()} == {
        "name": "digits",
        "pictures": "1,437 training (of which 237 validate), 360 test",
        "shape": "8 x 8",
        "classes": "10",
        "source": "scikit-learn",
        "digest": load("digits").digest(),
        **DIGITS,
        "drawn": "at random, not class by class: the validation pictures of each replicate, and "
        "the test part of a path that has none",
    }


def test_data_of_classes_of_one_size_has_one_line_of_them(lttune, tmp_path):
    x, y = np.arange(96, dtype=np.uint8).reshape(6, 4, 4), np.array([0, 1, 2] * 2)
    np.savez(tmp_path / "x.npz", train_x=x, train_y=y, test_x=x[:3], test_y=y[:3])
    code, out, _ = lttune("data", str(tmp_path / "x.npz"))
    assert code == 0
    assert "\neach     2 training, 1 test\n" in out
    assert "class 0" not in out


def test_data_names_what_it_passed_over(lttune, tmp_path):
    for name in ("ape", "bee"):
        (tmp_path / "own" / name).mkdir(parents=True)
        for number in range(5):
            x = np.arange(20, dtype=np.uint8).reshape(4, 5) + number
            Image.fromarray(x).save(tmp_path / "own" / name / f"{number}.png")
    code, out, _ = lttune("data", str(tmp_path / "own"))
    assert (code, out.splitlines()[-1]) == (0, "passed   0 that are no picture of a class")
    (tmp_path / "own" / "Thumbs.db").write_bytes(b"")
    (tmp_path / "own" / "bee" / "._4.png").write_bytes(b"\0\5\x16\7")
    code, out, _ = lttune("data", str(tmp_path / "own"))
    last = "passed   2 that are no picture of a class: Thumbs.db, bee/._4.png"
    assert (code, out.splitlines()[-1]) == (0, last)


def test_data_looks_into_the_folder_it_is_given(lttune, tmp_path):
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / "train-images-idx3-ubyte").write_bytes(b"no")
    code, _, complaint = lttune("data", "mnist", "--folder", str(tmp_path))
    assert code == 4
    assert f"{tmp_path}/mnist/train-images-idx3-ubyte is damaged" in complaint


def test_data_makes_one_file_of_a_folder(lttune, tmp_path):
    rng = np.random.default_rng(0)
    for name in ("ape", "bee"):
        (tmp_path / "own" / name).mkdir(parents=True)
        for number in range(5):
            x = rng.integers(0, 256, (8 + number, 9, 3)).astype(np.uint8)
            Image.fromarray(x).save(tmp_path / "own" / name / f"{number}.png")
    file = tmp_path / "own.npz"
    folder = str(tmp_path / "own")
    code, out, _ = lttune("data", folder, "--size", "6", "--save", str(file))
    assert code == 0
    assert "3 x 6 x 6" in out
    assert load(str(file)).digest() in out
    code, _, complaint = lttune("data", folder)
    assert code == 4
    assert "make them one size with lttune data FOLDER --size" in complaint


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("./own --size 0 --save x.npz", "--size must be a whole number >= 1, got 0"),
        ("./own --size 8", "--size must be given with --save PATH.npz"),
        ("./own --save x.png", "--save must be the path of an .npz file"),
        (
            "digits --save x.npz",
            "--save must be given with the path of a folder of pictures, got 'digits'",
        ),
        ("digits --fodler x", "--folder"),
    ],
)
def test_bad_flags_are_refused(lttune, cwd, flags, message):
    code, _, complaint = lttune("data", *flags.split())
    assert code == 2
    assert message in " ".join(complaint.replace("│", " ").split())
    assert list(cwd.iterdir()) == []
