"""What a stranger's study names is no place to go: nothing is moved, written or followed."""

import itertools
import os
import shutil

import pytest
import stored_study
from bounded import bounded

from analysis.claims import read
from lttune.__main__ import main
from lttune.errors import ConfigError, StorageError
from lttune.exchange.tickets import Place, find_network
from lttune.records import schema


@pytest.fixture
def study(tmp_path):
    return stored_study.make(tmp_path / "results")


def tree(folder):
    return {path: path.lstat().st_mtime_ns for path in sorted(folder.rglob("*"))}


def renamed(study, key):
    """Has the study's table name every network by another key."""
    rows = schema.read(study / "records.parquet")
    schema.write(study / "records.parquet", [row | {"cell": key} for row in rows])


@pytest.mark.parametrize("key", ["absolute", "../../victim", "cells"])
@pytest.mark.parametrize("words", [["export", "--level", "0"], ["masks"]])
def test_a_cell_that_is_a_path_is_refused(study, cwd, capsys, key, words):
    victim = study.parent.parent / "victim"
    shutil.copytree(study.parent / "cells", victim)
    renamed(study, str(victim) if key == "absolute" else key)
    before = tree(study.parent.parent)
    command, *options = words
    tickets = [f"{study}:0/0/0", f"{study}:0/0/1"] if command == "masks" else [str(study)]
    assert main([command, *options, *tickets]) == 74
    told = capsys.readouterr().err
    assert told.startswith("lttune: error: a cell's key must be 64 hexadecimal digits, got ")
    assert told.count("\n") == 1
    assert tree(study.parent.parent) == before


def test_reading_a_study_with_damaged_cells_moves_none_of_them(study):
    cell = find_network(Place(study=study, level=2))
    first = find_network(Place(study=study, level=1)).row["cell"]
    (study.parent / "cells" / first[:2] / first / "record.json").write_text("{}")
    shutil.rmtree(study.parent / "cells" / "locks")
    before = tree(study.parent)
    with pytest.raises(StorageError, match="store lacks a network on the way"):
        cell.weights("start")
    with pytest.raises(StorageError, match="has no sound network"):
        find_network(Place(study=study, level=1))
    assert tree(study.parent) == before


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", ["study.json", "trials.json", "records.parquet"])
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
@pytest.mark.parametrize("words", [["report"], ["export", "--csv"], ["export", "--level", "0"]])
def test_a_pipe_or_a_folder_in_the_place_of_a_file_is_one_line(study, capsys, name, make, words):
    (study / name).unlink()
    make(study / name)
    command, *options = words
    assert main([command, *options, str(study)]) == 74
    told = capsys.readouterr().err
    assert told.startswith(f"lttune: error: {study / name} cannot be read: ")
    assert told.count("\n") == 1


def test_a_folder_of_figures_that_links_away_is_not_written_to(study, tmp_path, capsys):
    (tmp_path / "elsewhere").mkdir()
    (study / "figures").symlink_to(tmp_path / "elsewhere")
    assert main(["report", str(study)]) == 74
    assert f"{study / 'figures'} must lie in {study}, but leads to" in capsys.readouterr().err
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.timeout(60)
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_claims_that_are_a_pipe_or_a_folder_are_one_line(study, capsys, make):
    make(study / "claims.yaml")
    assert main(["report", str(study)]) == 74
    told = capsys.readouterr().err
    assert told.startswith(f"lttune: error: {study / 'claims.yaml'} cannot be read: ")
    assert told.count("\n") == 1


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("schema: 1\nversion: !!bool foo\n", "the claims file is no YAML: "),
        (
            "schema: 1\nversion: [1]\nclaims: []\n",
            "version must be a text, a number or a date, got [1]",
        ),
        (
            "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
            + "\n".join(
                f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]"
                for old, new in itertools.pairwise("abcdefg")
            ),
            "the claims file is no YAML: its aliases stand for more than 1,048,576 values",
        ),
    ],
)
def test_claims_of_a_stranger_are_read_in_little_room(study, capsys, text, told):
    (study / "claims.yaml").write_text(text)
    assert main(["report", str(study)]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"lttune: error: {study / 'claims.yaml'}: {told}")
    assert err.count("\n") == 1
    with bounded(), pytest.raises(ConfigError):
        read(study / "claims.yaml")
