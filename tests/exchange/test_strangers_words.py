"""Links, words and names of a stranger's study: no traceback, no other place, no false line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import stored_study
from sample_sweeps import design_study

from lttune import data
from lttune.__main__ import main
from lttune.data.files import packages
from lttune.exchange.health.inspection import Inspection
from lttune.store.files import parse_json, read_json
from lttune.store.sealed import read_object, write_object


@pytest.fixture
def study(tmp_path):
    return stored_study.make(tmp_path / "results")


@pytest.mark.parametrize("command", [["export", "--level", "0"], ["doctor"], ["masks"]])
def test_links_in_a_circle_are_one_line(command, study, cwd, capsys):
    cells = study.parent / "cells"
    (first, *_) = (path for path in cells.iterdir() if len(path.name) == 2)
    for folder in [path for path in cells.iterdir() if len(path.name) == 2]:
        folder.rename(cells / f"was-{folder.name}")
        folder.symlink_to(folder.name)
    places = [f"{study}:0/0/0", f"{study}:0/0/1"] if command == ["masks"] else [str(study)]
    assert first.is_symlink()
    assert main([*command, *places]) == 74
    printed = capsys.readouterr()
    assert "its links lead in a circle" in printed.out + printed.err


def test_half_a_character_is_no_text():
    assert parse_json(b'{"a": "\\ud83d\\ude00 \\u00e9"}') == {"a": "\U0001f600 \u00e9"}
    with pytest.raises(ValueError, match="surrogates not allowed"):
        parse_json(b'{"a": ["\\ud800"]}')


def test_a_label_that_no_output_could_hold_is_one_line(study, capsys):
    path = study / "trials.json"
    values = read_object(path)
    values["trials"][0]["label"] = "\ud800"
    # Without a seal, as older versions wrote it: else the seal alone would refuse it.
    path.write_text(json.dumps(values))
    for command in ("report", "doctor"):
        assert main([command, str(study)]) == 74
        printed = capsys.readouterr()
        assert "Traceback" not in printed.out + printed.err


def test_what_memory_cannot_hold_is_one_line(study, capsys, monkeypatch):
    def none_left(self):
        raise MemoryError

    monkeypatch.setattr(Path, "read_bytes", none_left)
    with pytest.raises(OSError, match="do not fit into memory"):
        read_json(study / "study.json")
    assert main(["report", str(study)]) == 74
    assert capsys.readouterr().err.count("\n") == 1


def test_a_name_moves_no_cursor_and_forges_no_line():
    line = Inspection(what="study.json: \x1b]0;mine\x07\nok      all", trouble="\r").line
    assert line.isprintable()


def test_a_dataset_that_a_stranger_names_is_not_fetched(study, cwd, capsys, monkeypatch):
    def fetch(*arguments):
        raise AssertionError("a program was started")

    monkeypatch.setattr(packages, "_run", fetch)
    monkeypatch.setenv("LTTUNE_DATA", str(cwd / "empty"))
    path = study / "study.json"
    values = read_object(path)
    values["lottery"]["data"]["name"] = "cifar10"
    write_object(path, values)
    assert main(["export", str(study), "--level", "0"]) == 4
    assert "who only reads a study fetches nothing" in capsys.readouterr().err
    assert list(cwd.iterdir()) == []
    with pytest.raises(AssertionError, match="a program was started"):
        data.load("cifar10")


@pytest.mark.slow
def test_importances_are_not_written_through_a_link(tmp_path, capsys):
    study = design_study(tmp_path / "results", points=64, name="d")
    (tmp_path / "victim").mkdir()
    (study.folder / "figures").symlink_to(tmp_path / "victim")
    assert main(["importance", str(study.folder)]) == 74
    assert "must lie in" in capsys.readouterr().err
    assert list((tmp_path / "victim").iterdir()) == []
