"""A table that lacks rows of trials that ended, or is an older one, is not taken for the whole."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from digits_place import StudyPlace, lasting
from one_process import one_process

import analysis
from lttune.__main__ import main
from lttune.errors import StorageError
from lttune.records import schema
from lttune.store.sealed import read_object, write_object

pytestmark = pytest.mark.slow

FLAGS = ("--max-concurrent", "1", "--trials", "1", "--replicates", "1", "--controls", "random")


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> StudyPlace:
    with one_process():
        return StudyPlace(tmp_path_factory.mktemp("whole")).run(*FLAGS)


@pytest.fixture
def mine(whole, tmp_path) -> StudyPlace:
    return whole.copy(tmp_path)


def cut(folder: Path, name: str, most_level: int) -> None:
    """Writes a table of the study that has no rows below a level."""
    path = folder / f"{name}.parquet"
    study_id = read_object(folder / "study.json")["study_id"]
    rows = [row for row in schema.read(path) if row["level"] <= most_level]
    columns = schema.LAYERS if name == "layers" else schema.MEASURES
    schema.write(path, rows, columns, study_id)


@pytest.mark.parametrize("name", ["records", "layers"])
def test_a_study_that_is_run_again_has_all_rows_again(name, mine, whole):
    cut(mine.folder, name, most_level=1)
    with one_process():
        again = mine.run(*FLAGS)
    assert again.exit_code == 0, again.printed
    assert lasting(again.rows()) == lasting(whole.rows())
    layers = [schema.read(place.folder / "layers.parquet") for place in (again, whole)]
    assert layers[0] == layers[1]
    assert again.cells() == mine.cells()


@pytest.mark.parametrize("name", ["records", "layers"])
@pytest.mark.parametrize("how", ["cut", "gone"])
def test_who_reads_is_told(name, how, mine, capsys):
    path = mine.folder / f"{name}.parquet"
    cut(mine.folder, name, most_level=0) if how == "cut" else path.unlink()
    told = f"{path} must have the rows of all trials that ended, and has others of 0, 1: put it"
    with pytest.raises(StorageError, match="put it back, run the study again"):
        analysis.load(mine.folder)
    commands = [["report"], ["export", "--csv"], ["claims", "check"]]
    if name == "records":
        commands += [["sync", "--tracking-uri", mine.uri]]
    for words in commands:
        code = main([*words, str(mine.folder)])
        assert (code, told in capsys.readouterr().err) == (74, True), words
    assert main(["doctor", str(mine.folder)]) == 74
    assert f"FAULT   {name}.parquet beside trials.json" in capsys.readouterr().out


def test_repair_makes_them(mine, whole, capsys):
    cut(mine.folder, "records", most_level=0)
    assert main(["doctor", "--repair", str(mine.folder)]) == 0
    assert "the rows of 2 trials were made anew" in capsys.readouterr().out
    assert lasting(mine.rows()) == lasting(whole.rows())


def test_an_earlier_table_of_the_study_is_not_taken(whole, tmp_path):
    place = StudyPlace(tmp_path)
    with one_process():
        place.run("--phases", "anchor", *FLAGS)
        shutil.copy(place.folder / "records.parquet", tmp_path / "earlier")
        place.run(*FLAGS)
    shutil.copy(tmp_path / "earlier", place.folder / "records.parquet")
    with pytest.raises(StorageError, match="has others of 1"):
        analysis.load(place.folder)


def test_a_trial_that_is_listed_twice_is_one_line(mine, capsys):
    path = mine.folder / "trials.json"
    values = read_object(path)
    values["trials"][1]["number"] = 0
    write_object(path, values)
    for words in (["report"], ["doctor"], ["export", "--csv"]):
        assert main([*words, str(mine.folder)]) == 74
        printed = capsys.readouterr()
        assert "must list each trial once, got 0 several times" in printed.out + printed.err
