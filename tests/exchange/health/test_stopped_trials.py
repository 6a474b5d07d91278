"""A trial that ASHA stopped, and whose rows are lost, is made again as far as it went."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from changed_bytes import flip
from digits_place import lasting
from one_process import one_process

from lttune.__main__ import main
from lttune.records import schema
from lttune.records.tables import TABLES
from lttune.store.sealed import read_object, write_object
from lttune.study.search import searcher

FLAGS = ("--max-concurrent", "1", "--trials", "1", "--replicates", "1", "--controls", "random")


def stop(folder: Path) -> None:
    """Makes of trial 1 one that was stopped at its last level but one."""
    listing = read_object(folder / "trials.json")
    study_id, trial = listing["study_id"], listing["trials"][1]
    tables = {name: schema.read(folder / name, study_id) for name in TABLES}
    last = max(row["level"] for row in tables["records.parquet"] if row["trial"] == 1)
    for row in tables["records.parquet"]:
        if (row["trial"], row["level"]) == (1, last):
            shutil.rmtree(folder.parent / "cells" / row["cell"][:2] / row["cell"])
    for name, rows in tables.items():
        rows[:] = [row for row in rows if (row["trial"], row["level"]) != (1, last)]
        schema.write(folder / name, rows, TABLES[name], study_id)
    counts = {Path(n).stem: sum(r["trial"] == 1 for r in rows) for n, rows in tables.items()}
    trial |= {"state": "stopped", "objective": None, "values": None, "rows": counts}
    write_object(folder / "trials.json", listing)


def parts(folder: Path) -> dict[str, Any]:
    """Returns what a study says of its trials and networks."""
    listing = read_object(folder / "trials.json")
    kept = ("number", "hparams", "state", "values", "rows", "error")
    return {
        "trials": [{name: one.get(name) for name in kept} for one in listing["trials"]],
        "cells": sorted(path.name for path in (folder.parent / "cells").glob("??/*")),
        **{name: lasting(schema.read(folder / name)) for name in TABLES},
    }


@pytest.mark.parametrize("change", [flip, Path.unlink])
@pytest.mark.parametrize("name", TABLES)
def test_a_repair_makes_the_rows_that_a_stopped_trial_had(name, change, study, capsys):
    listing = read_object(study / "trials.json")
    listing["trials"][0] |= {"objective": 0.5, "values": [0.5]}
    write_object(study / "trials.json", listing)
    stop(study)
    before = parts(study)
    assert {one["state"] for one in before["trials"]} == {"complete", "stopped"}
    change(study / name)
    assert main(["doctor", "--repair", str(study)]) == 0
    out = capsys.readouterr().out
    assert "left: " not in out, out
    assert parts(study) == before


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_who_runs_the_study_again_leaves_it_stopped(place, again, monkeypatch):
    stop(place.folder)
    before = parts(place.folder)
    flip(place.folder / "records.parquet")

    def interrupt(point: str) -> None:
        raise KeyboardInterrupt

    # Nor does it matter that the first try ends before it.
    with monkeypatch.context() as patch, one_process():
        patch.setattr(searcher, "reach", interrupt)
        assert place.run(*FLAGS).exit_code == 130
    assert place.states() == ["waiting", "waiting"]
    again()
    assert parts(place.folder) == before
    assert place.statuses()[1] == "KILLED"
    assert main(["doctor", str(place.folder)]) == 0
