"""Names that UTF-8 cannot hold: refused before anything is made; where a study lies, it is read."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import digits_study
import pytest
from sample_study import trial, write_study

import lttune.__main__
from lttune.config.fields import is_writable, unwritable
from lttune.errors import ConfigError
from lttune.store.plain_json import parse_json
from lttune.study import conductor
from lttune.study.main import main
from lttune.study.settings import StudyConfig

ODD = os.fsdecode(b"odd\xff")
RULE = "must be text that UTF-8 can hold"


@pytest.fixture(autouse=True)
def no_ray(monkeypatch):
    def start_ray(config):
        raise AssertionError("Ray was started")

    monkeypatch.setattr(conductor, "start_ray", start_ray)


@pytest.mark.parametrize(
    ("flag", "value", "field"),
    [
        ("--out", f"{ODD}/results", "out"),
        ("--lottery.data.name", f"./{ODD}/x.npz", "data.name"),
        ("--lottery.model.name", f"./{ODD}.py:network", "model.name"),
        ("--lottery.target.data", f"./{ODD}.npz", "target.data"),
        ("--lottery.pretrain.data", f"./{ODD}.npz", "pretrain.data"),
        ("--tracking-uri", f"sqlite:///{ODD}/mlflow.db", "tracking_uri"),
        ("--name", ODD, "name"),
        ("--address", f"{ODD}:6379", "address"),
    ],
)
def test_a_setting_that_cannot_be_written_is_refused(refused, cwd, flag, value, field):
    code, text = refused(flag, value)
    assert code == 2
    lines = text.splitlines()
    (line,) = (one for one in lines if one.startswith(f"lttune: error: {field} must be "))
    assert r"\udcff" in line
    assert "Traceback" not in text
    assert list(cwd.iterdir()) == []


def test_one_of_the_environment_is_refused_likewise(refused, cwd, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{ODD}/mlflow.db")
    code, text = refused()
    assert (code, text.count("\n")) == (2, 1)
    assert text.startswith("lttune: error: MLFLOW_TRACKING_URI must be sqlite:///PATH")
    assert list(cwd.iterdir()) == []


def test_a_folder_to_work_in_is_refused_likewise(refused, cwd, monkeypatch):
    (cwd / ODD).mkdir()
    monkeypatch.chdir(cwd / ODD)
    code, text = refused()
    assert (code, text.count("\n")) == (2, 1)
    assert f"the folder that this is started in {RULE}" in text
    assert list((cwd / ODD).iterdir()) == []


def test_whatever_else_a_sheet_would_hold_is_refused_likewise(cwd, monkeypatch, capsys):
    """Such as a word of the command that no setting keeps."""
    monkeypatch.setattr(sys, "argv", ["digits_study.py", "--scale", ODD])
    assert main(digits_study.STUDY, digits_study.report, "", ["--out", "out"]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"lttune: error: command {RULE}")
    assert err.count("\n") == 1
    assert not (cwd / "out").exists()


@pytest.mark.parametrize(("flag", "value"), [("--mask", f"{ODD}.pt"), ("--data", f"./{ODD}.npz")])
def test_what_the_table_of_transfer_would_name_is_refused_likewise(cwd, capsys, flag, value):
    with pytest.raises(SystemExit, match="2"):
        lttune.__main__.main(["transfer", "results/digits", flag, value])
    err = capsys.readouterr().err
    assert err.startswith(f"lttune: error: {flag} {RULE}")
    assert err.count("\n") == 1


def test_settings_that_python_code_makes_are_refused_likewise():
    with pytest.raises(ConfigError, match=rf"^out {RULE}.*, got 'odd\\udcff'$"):
        StudyConfig(name="x", out=Path(ODD))


def test_what_is_refused_is_what_could_not_be_read_again():
    values = {"a": [{"b": ODD}], ODD: 1, "c": ("é", "\U0001f600"), "d": 2.0, "e": None}
    assert list(unwritable(values, "")) == [("a.b", ODD), ("", ODD)]
    for text in (ODD, "\ud83d", "é\U0001f600", "plain"):
        try:
            parse_json(b'"' + text.encode("ascii", "backslashreplace") + b'"')
            ok = True
        except ValueError:
            ok = "\\U" in ascii(text)  # JSON writes it as a pair.
        assert is_writable(text) is ok


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("command", ["report", "doctor", "watch", "importance"])
def test_a_study_that_was_moved_to_such_a_place_is_read(cwd, monkeypatch, command, encoding):
    folder = write_study(cwd / ODD / "s", trials=[trial(n, controls=[]) for n in range(3)])
    shown = {}
    for name in ("stdout", "stderr"):
        shown[name] = io.BytesIO()
        errors = "strict" if name == "stdout" else "backslashreplace"
        wrapped = io.TextIOWrapper(shown[name], encoding=encoding, errors=errors)
        monkeypatch.setattr(sys, name, wrapped)
    code = lttune.__main__.main([command, str(folder)])
    sys.stderr.flush()
    text = shown["stdout"].getvalue().decode(encoding)
    err = shown["stderr"].getvalue().decode(encoding)
    assert "Traceback" not in err
    assert "codec" not in text + err
    if command == "report":
        assert r"odd\udcff" in text
        assert (folder / "report.html").is_file()
    if command in ("report", "watch"):
        assert (code, err) == (0, "")
