"""Rows of trials that have ended: in a file, given back as they were, whatever the disk does."""

from __future__ import annotations

import gc
import random
import tracemalloc

import pytest
from bounded import largest_file

from lttune.errors import StorageError
from lttune.records.ledger import Trial
from lttune.records.tables import Tables

RECORDS = "records.parquet"


def level_of(number, level):
    """Rows of a level whose bytes no packing makes few."""
    rng = random.Random(f"{number} {level}")
    whose = {"trial": number, "replicate": 0, "level": level}
    cell = {"cell": rng.randbytes(16).hex()}
    measured = {f"measured.{n}": rng.random() for n in range(40)}
    records = [{**whose, "branch": "trunk", **cell, **measured}]
    layers = [{**whose, "layer": f"fc{n}", "moved": rng.random()} for n in range(3)]
    return records, layers


def ended(tables, number):
    trial = Trial(number, "search", "", {}, [0], [])
    for level in range(5):
        tables.note(trial, *level_of(number, level))
    tables.flush()
    tables.pack(trial)
    return trial


def test_rows_of_trials_that_ended_are_not_in_memory(tmp_path):
    """Nor is anything of them left in the folder; they are given back, as one table too."""
    mine = Tables(tmp_path, "digits")
    for number in range(30):  # What is made once is made by then.
        ended(mine, number)
    tracemalloc.start()
    for number in range(30, 130):
        ended(mine, number)
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert grown < 100 * 500
    assert {path.stem for path in tmp_path.iterdir()} == {"records", "layers"}
    for number in (0, 40, 129):
        levels = [level_of(number, level)[0][0] for level in range(5)]
        found = mine.of(Trial(number, "search", "", {}, [0], []))
        assert [{name: row[name] for name in levels[0]} for row in found] == levels
    assert sum(map(len, mine.groups(RECORDS))) == 130 * 5
    assert sum(map(len, mine.groups("layers.parquet"))) == 130 * 15


def test_what_a_disk_does_not_take_of_a_trial_stays_in_memory(tmp_path):
    mine = Tables(tmp_path, "digits")
    first = ended(mine, 0)
    trial, (records, layers) = Trial(1, "search", "", {}, [0], []), level_of(1, 0)
    mine.keep(trial, records, layers)
    before = mine.of(trial)
    with largest_file(1_000), pytest.raises(StorageError, match="cannot be written") as error:
        mine.pack(trial)
    assert str(error.value).startswith(f"{tmp_path} ")
    assert mine.of(trial) == before
    mine.pack(trial)
    assert mine.of(trial) == before
    assert len(mine.of(first)) == 5
