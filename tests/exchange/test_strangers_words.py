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
from lttune.store.plain_json import parse_json, read_json
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


@pytest.mark.parametrize("weights", ["start", "trained"])
def test_a_network_that_is_larger_than_its_cell_is_not_made(study, cwd, capsys, weights):
    path = study / "study.json"
    values = read_object(path)
    values["lottery"]["model"]["name"] = "lenet-3000-3000"
    write_object(path, values)
    assert main(["export", str(study), "--level", "1", "--weights", weights]) == 74
    told = f"what is stored of {study}:0/0/1 is not of its network: fc1.weight must be of shape ("
    assert capsys.readouterr().err.startswith(f"lttune: error: {told}")
    assert list(cwd.iterdir()) == []


def test_a_dataset_whose_name_no_file_can_have_is_one_line(study, capsys):
    path = study / "study.json"
    values = read_object(path)
    for name in ("a/\0.npz", "./\0"):
        values["lottery"]["data"]["name"] = name
        write_object(path, values)
        assert main(["export", str(study), "--level", "0"]) == 74
        assert "no path has such a character" in capsys.readouterr().err


@pytest.mark.parametrize("depth", [200, 900, 980])
def test_a_sheet_of_lists_in_lists_is_one_line(study, capsys, depth):
    path = study / "study.json"
    values = read_json(path)
    values = {name: value for name, value in values.items() if name not in ("schema", "seal")}
    text = json.dumps(values | {"lottery": {**values["lottery"], "x": "HERE"}})
    deep = '{"a": ' * depth + "1" + "}" * depth
    path.write_text(text.replace('"HERE"', deep))
    for command in (["export", "--level", "0"], ["export", "--csv"], ["report"]):
        assert main([*command, str(study)]) == 74
        printed = capsys.readouterr().err
        assert "study.json is damaged: its lists are nested too deeply" in printed
        assert printed.count("\n") == 1


@pytest.mark.slow
def test_importances_are_not_written_through_a_link(tmp_path, capsys):
    study = design_study(tmp_path / "results", points=64, name="d")
    (tmp_path / "victim").mkdir()
    (study.folder / "figures").symlink_to(tmp_path / "victim")
    assert main(["importance", str(study.folder)]) == 74
    assert "must lie in" in capsys.readouterr().err
    assert list((tmp_path / "victim").iterdir()) == []
