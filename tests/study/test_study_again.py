"""A study that is there is run again: nothing is trained twice, what is missing is."""

from __future__ import annotations

from typing import Any

import digits_study
import pytest
from changed_bytes import flip
from digits_place import lasting
from one_process import one_process

from lttune.data import load
from lttune.records.schema import read
from lttune.study import conductor
from lttune.study.conductor import Conductor
from lttune.study.phases.room import stored_room

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def no_ray(config: Any) -> None:
    raise AssertionError("Ray was started")


def test_running_a_finished_study_again_trains_nothing(place, tmp_path, monkeypatch, cwd):
    again = place.copy(tmp_path)
    cells = again.cells()
    monkeypatch.setattr(conductor, "start_ray", no_ray)
    again.run()
    assert (again.exit_code, again.cells()) == (0, cells)
    assert "complete: 6 of 6 trials" in again.printed
    for name in ("records.parquet", "layers.parquet", "trials.json"):
        assert (again.folder / name).read_bytes() == (place.folder / name).read_bytes()
    # A database that knew nothing of the study now holds all of it.
    assert again.statuses() == place.statuses()
    runs = again.runs()
    assert again.series(runs[2], "density") == place.series(place.runs()[2], "density")
    again.run()
    assert again.runs().keys() == runs.keys()
    assert again.series(again.runs()[2], "density") == place.series(place.runs()[2], "density")
    assert list(cwd.iterdir()) == []


@pytest.mark.parametrize("table", ["records", "layers"])
def test_a_complete_trial_that_lost_its_records_is_run_again(table, place, tmp_path, monkeypatch):
    again = place.copy(tmp_path)
    (again.folder / f"{table}.parquet").unlink()
    seen: list[str] = []
    monkeypatch.setattr(
        Conductor, "_run_trials", lambda self: seen.extend(t.state for t in self._ledger.trials)
    )
    again.run()
    assert seen == ["waiting"] * 6
    assert again.exit_code == 1


def test_lost_layers_are_measured_again_without_any_training(place, tmp_path, cwd):
    again = place.copy(tmp_path)
    (again.folder / "layers.parquet").unlink()
    cells = again.cells()
    with one_process():
        again.run("--max-concurrent", "1")
    assert (again.exit_code, again.cells()) == (0, cells)
    for table in ("layers", "records"):
        found, before = (read(at.folder / f"{table}.parquet") for at in (again, place))
        assert lasting(found) == lasting(before)


def test_a_damaged_table_is_rebuilt_from_the_store(place, tmp_path, cwd):
    again = place.copy(tmp_path)
    flip(again.folder / "records.parquet")
    cells = again.cells()
    with one_process():
        again.run("--max-concurrent", "1")
    assert (again.exit_code, again.cells()) == (0, cells)
    assert "records.parquet was damaged: it is made anew" in again.printed
    assert lasting(again.rows()) == lasting(place.rows())


def test_the_room_that_is_asked_for_is_what_is_written(place):
    needed = stored_room(digits_study.SMOKE, digits_study.STUDY, {"digits": load("digits")})
    cells = place.folder.parent / "cells"
    blocks = sum(p.stat().st_blocks * 512 for p in cells.glob("??/**/*"))
    assert 0.7 * needed.size < blocks < 1.1 * needed.size
    files = sum(1 for _ in cells.rglob("*"))
    prefixes = sum(1 for _ in cells.glob("??"))
    assert 0.7 * needed.files < files < 1.1 * needed.files + prefixes


def test_a_study_grows_by_as_many_trials_as_are_asked_for(place, tmp_path, cwd):
    grown = place.copy(tmp_path)
    cells = grown.cells()
    with one_process():
        grown.run("--trials", "6", "--max-concurrent", "1")
    assert grown.exit_code == 0
    assert "complete: 8 of 8 trials" in grown.printed
    assert grown.trials()[:6] == place.trials()
    assert [trial["phase"] for trial in grown.trials()[6:]] == ["search"] * 2
    assert [row for row in grown.rows() if row["trial"] < 6] == place.rows()
    assert {row["trial"] for row in grown.rows()} == set(range(8))
    points = [tuple(trial["hparams"].values()) for trial in grown.trials()[2:]]
    assert len(set(points)) == 6
    assert {key: grown.cells()[key] for key in cells} == cells
    assert grown.statuses() == dict.fromkeys([None, *range(8)], "FINISHED")


def test_phases_are_added_to_a_study_that_is_there(place, tmp_path, cwd):
    more = place.copy(tmp_path)
    phases = ("anchor", "search", "random", "confirm")
    flags = ("--trials", "2", "--confirm-replicates", "1", "--max-concurrent", "1")
    with one_process():
        more.run("--phases", *phases[2:], *flags)
    assert more.exit_code == 0
    found = [trial["phase"] for trial in more.trials()]
    assert [found.count(phase) for phase in phases] == [2, 4, 2, 3]
    assert more.trials()[:6] == place.trials()
    assert [row for row in more.rows() if row["trial"] < 6] == place.rows()
