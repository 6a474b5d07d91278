"""Each finding about a study says a mend; when that is done, nothing is found any more."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from changed_bytes import flip
from digits_place import lasting

from lttune.__main__ import main
from lttune.exchange.health.study import NEWER, study_findings
from lttune.records import schema
from lttune.records.schema import files
from lttune.records.tables import TABLES
from lttune.store import sealed
from lttune.store.sealed import FILES_SCHEMA, read_object, write_object


def faults(folder: Path) -> list[tuple[str, str]]:
    """Returns what is wrong and the mend of each finding that is no warning."""
    wrong = [one for one in study_findings(folder) if one.trouble]
    assert all(one.mend for one in wrong), wrong
    return [(one.what, one.mend) for one in wrong if one.exit_code]


def mend_of(folder: Path, what: str) -> str:
    ((found, mend),) = faults(folder)
    assert found.startswith(what)
    return mend


def is_clean(folder: Path) -> bool:
    return [one.line for one in study_findings(folder) if one.trouble] == []


def move_away(path: Path) -> None:
    path.rename(path.with_name(f"{path.name}.away"))


def test_a_study_of_which_nothing_is_wrong_is_clean(study, place):
    assert is_clean(study)
    assert is_clean(place.folder)


@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_another_study_is_moved_away(name, study, capsys):
    before = schema.read(study / name)
    schema.write(study / name, before, TABLES[name], "another")
    mend = mend_of(study, name)
    assert mend.startswith("put back this study's own, or move it away: then `lttune doctor STUDY ")
    # Alone it would change nothing.
    assert main(["doctor", "--repair", str(study)]) == 74
    assert "is of another study" in capsys.readouterr().err
    assert schema.read(study / name) == before
    move_away(study / name)
    assert main(["doctor", "--repair", str(study)]) == 0
    assert is_clean(study)
    assert lasting(schema.read(study / name)) == lasting(before)


@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_a_newer_version_is_left_to_it(name, study, monkeypatch):
    rows = schema.read(study / name)
    with monkeypatch.context() as newer:
        newer.setattr(files, "FILES_SCHEMA", FILES_SCHEMA + 1)
        schema.write(study / name, rows, TABLES[name], "mine")
    assert mend_of(study, name) == NEWER
    assert main(["doctor", "--repair", str(study)]) == 3
    monkeypatch.setattr(sealed, "FILES_SCHEMA", FILES_SCHEMA + 1)
    assert is_clean(study)


@pytest.mark.parametrize("name", TABLES)
def test_a_table_that_cannot_be_read_is_moved_away(name, study):
    (study / name).unlink()
    (study / name).mkdir()
    assert mend_of(study, name).startswith("see that it can be read, or move it away: then ")
    move_away(study / name)
    assert main(["doctor", "--repair", str(study)]) == 0
    assert is_clean(study)


@pytest.mark.parametrize("name", TABLES)
def test_rows_of_trials_that_are_none_of_the_study_are_left_out(name, study, tmp_path):
    before = schema.read(study / name)
    # What a stranger's folder links to is not written to, and stays.
    (tmp_path / "precious").write_text("mine")
    (study / f"{name}.damaged").symlink_to(tmp_path / "precious")
    more = [*before, *(row | {"trial": 7} for row in before if row["trial"] == 1)]
    schema.write(study / name, more, TABLES[name], "mine")
    assert "--repair` makes the tables anew" in mend_of(study, f"{name} beside trials.json")
    assert main(["doctor", "--repair", str(study)]) == 0
    assert is_clean(study)
    assert lasting(schema.read(study / name)) == lasting(before)
    assert (tmp_path / "precious").read_text() == "mine"
    assert (study / f"{name}.damaged").is_symlink()
    kept = schema.read(study / f"{name}.damaged-2")
    assert {row["trial"] for row in kept} == {0, 1, 7}


def test_a_repair_without_the_list_of_trials_empties_no_table(study, capsys):
    (study / "trials.json").unlink()
    before = {name: (study / name).read_bytes() for name in TABLES}
    assert main(["doctor", "--repair", str(study)]) == 74
    assert "it has no trials.json" in capsys.readouterr().err
    assert {name: (study / name).read_bytes() for name in TABLES} == before


def of_another(path: Path) -> None:
    write_object(path, {**read_object(path), "study_id": "another"})


def misnumbered(path: Path) -> None:
    values = read_object(path)
    values["trials"][-1]["number"] = 9
    write_object(path, values)


@pytest.mark.slow
@pytest.mark.parametrize("change", [flip, of_another, misnumbered, Path.unlink])
def test_trials_that_cannot_be_used_are_moved_away_and_the_study_is_run_again(change, place, again):
    path = place.folder / "trials.json"
    cells, rows = place.cells(), lasting(place.rows())
    change(path)
    mend = mend_of(place.folder, "trials.json")
    assert "run the study again: networks in the store stay trained" in mend
    if path.exists():
        assert "or move it away and run" in mend
        assert main(["doctor", "--repair", str(place.folder)]) == 74
        move_away(path)
    again()
    assert is_clean(place.folder)
    assert (place.cells(), lasting(place.rows())) == (cells, rows)


def test_trials_of_a_newer_version_are_left_to_it(study, monkeypatch):
    values = read_object(study / "trials.json")
    with monkeypatch.context() as newer:
        newer.setattr(sealed, "FILES_SCHEMA", FILES_SCHEMA + 1)
        write_object(study / "trials.json", values)
    assert mend_of(study, "trials.json") == NEWER
    monkeypatch.setattr(sealed, "FILES_SCHEMA", FILES_SCHEMA + 1)
    assert is_clean(study)


@pytest.mark.slow
def test_a_damaged_sheet_is_mended_by_moving_the_folder_away(place, again, capsys):
    cells = place.cells()
    flip(place.folder / "study.json")
    assert main(["doctor", str(place.folder)]) == 74
    told = "move its folder away and run the study again: networks in the store stay trained"
    assert told in capsys.readouterr().err
    move_away(place.folder)
    again()
    assert is_clean(place.folder)
    assert place.cells() == cells


@pytest.mark.slow
def test_networks_that_are_lost_are_trained_again(place, again):
    key = place.rows()[-1]["cell"]
    (place.folder.parent / "cells" / key[:2] / key / "record.json").write_text("{}")
    (lost,) = [one for one in study_findings(place.folder) if one.trouble]
    assert lost.trouble == "1 of them are missing or damaged; their rows stay true"
    assert lost.mend == "to have them again, move records.parquet away and run the study again"
    assert lost.exit_code == 0
    move_away(place.folder / "records.parquet")
    again()
    assert is_clean(place.folder)


@pytest.mark.slow
def test_a_store_that_cannot_be_read_has_a_mend(place, again):
    cells = place.folder.parent / "cells"
    shutil.move(cells, cells.with_name("elsewhere"))
    cells.symlink_to("cells")
    mend = mend_of(place.folder, str(cells))
    assert "move it and records.parquet away and run the study again" in mend
    for path in (cells, place.folder / "records.parquet"):
        move_away(path)
    again()
    assert is_clean(place.folder)


def test_what_the_store_lacks_after_a_repair_is_told(study):
    shutil.rmtree(study.parent / "cells")
    (study / "records.parquet").unlink()
    assert main(["doctor", "--repair", str(study)]) == 74
    assert mend_of(study, "records.parquet beside").endswith(
        "what the store lacks is trained when the study is run again"
    )


def test_a_table_that_nothing_can_replace_stays_where_it_is(study):
    shutil.rmtree(study.parent / "cells")
    path = study / "records.parquet"
    rows = [row | {"val_accuracy": 1.2} for row in schema.read(path)]
    schema.write(path, rows, study_id="mine")
    before = path.read_bytes()
    assert main(["doctor", "--repair", str(study)]) == 74
    assert path.read_bytes() == before
    assert not list(study.glob("*.damaged"))
