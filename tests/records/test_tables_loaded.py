"""A study that is gone on with: its tables are read in parts, and are what they were."""

from __future__ import annotations

import random
import tracemalloc

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_ended_rows import level_of

from lttune.records import schema
from lttune.records.ledger import Ledger, Trial
from lttune.records.tables import TABLES, Tables, joining, journaled, loading, rows_in, tables
from lttune.store.formats import parquet
from lttune.store.formats.journal import Journal, journal_of

RECORDS = "records.parquet"


@pytest.fixture
def in_small_parts(monkeypatch):
    monkeypatch.setattr(parquet, "_MOST_AT_ONCE", 64)
    monkeypatch.setattr(loading, "_MOST_OPEN", 64)
    monkeypatch.setattr(loading, "_AT_ONCE", 16)
    monkeypatch.setattr(joining, "MOST_GROUPED", 100)
    monkeypatch.setattr(tables, "_AT_ONCE", 4)


def rows_of(numbers, levels=16):
    """Rows of each table, of trials of a ticket each, as a study has them."""
    found = {name: [] for name in TABLES}
    of_cells = dict.fromkeys(schema.MEASURES)
    for number in numbers:
        for level in range(levels):
            records, layers = level_of(number, level)
            whole = {"study": "digits", "phase": "search", "numerics": "x"}
            sizes = {"density": 0.5, "prunable": 9, "early_stop_step": 1, "val_accuracy": 0.5}
            flags = {"early_stop_at_end": False, "diverged": False, "seed": 0}
            settings = {
                "train.steps": 1,
                "train.batch_size": 1,
                "model.name": "x",
                "data.name": "x",
            }
            found[RECORDS] += [
                {**of_cells, **whole, **sizes, **flags, **settings, **row} for row in records
            ]
            found["layers.parquet"] += [
                {**dict.fromkeys(schema.LAYERS), "study": "digits", "phase": "search", **row}
                for row in layers
            ]
    return found


def ledger_of(folder, count, levels=16):
    trials = [Trial(number, "search", "", {}, [0], [], state="complete") for number in range(count)]
    for trial in trials:
        trial.rows = {"records": levels, "layers": 3 * levels}
    return Ledger(path=folder / "trials.json", trials=trials)


def read(folder, count):
    mine, ledger = Tables(folder, "digits"), ledger_of(folder, count)
    mine.read(ledger)
    return mine, {trial.state for trial in ledger.trials}


@pytest.mark.usefixtures("in_small_parts")
def test_who_goes_on_has_not_all_rows_in_memory(tmp_path):
    found = rows_of(range(120))
    for name, rows in found.items():
        schema.write(tmp_path / name, rows, TABLES[name])
    del found, rows
    read(tmp_path, 1)  # What is made once is made by then.
    tracemalloc.start()
    mine, states = read(tmp_path, 120)
    mine.write()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert states == {"complete"}
    assert peak < 120 * 16 * 2_000  # As rows of Python's they take four times as much.


@pytest.mark.usefixtures("in_small_parts")
def test_a_file_and_its_journal_are_read_in_parts_as_at_once(tmp_path):
    """Of a network that was trained again the last row holds, wherever it is."""
    draw, found = random.Random(0), rows_of(range(20))
    for name, rows in found.items():
        first = [row for row in rows if row["trial"] < 12]
        later = [[row] for row in rows if row["trial"] > 8]
        draw.shuffle(later)
        again = [[{**row, "phase": "anchor"}] for (row,) in later[:50]]
        written = Journal(tmp_path / name, schema.write(tmp_path / name, first, TABLES[name]))
        written.append([journaled(one) for one in [*later, *again]])
    expected = {name: rows_in(tmp_path / name) for name in TABLES}
    mine, states = read(tmp_path, 20)
    assert (states, mine.damaged) == ({"complete"}, [])
    mine.write()
    for name, rows in expected.items():
        assert not journal_of(tmp_path / name).exists()
        assert schema.read(tmp_path / name) == rows
        assert pq.ParquetFile(tmp_path / name).num_row_groups == -(-len(rows) // 100)


@pytest.mark.usefixtures("in_small_parts")
def test_bytes_of_a_long_table_are_the_same_whoever_goes_on(tmp_path):
    (tmp_path / "at-once").mkdir()
    whole = Tables(tmp_path / "at-once", "digits")
    for trial in ledger_of(tmp_path, 20).trials:
        rows = rows_of([trial.number])
        whole.note(trial, rows[RECORDS], rows["layers.parquet"])
        whole.flush()
        whole.pack(trial)
        if trial.number == 11:
            killed = Tables(tmp_path / "at-once", "digits")
            killed.read(ledger_of(tmp_path, 12))
            whole = killed
    whole.write()
    for name, rows in rows_of(range(20)).items():
        other = schema.table_of(rows, TABLES[name])
        groups = [other.slice(first, 100) for first in range(0, len(other), 100)]
        schema.write_table(tmp_path / name, [one.combine_chunks() for one in groups])
        assert (tmp_path / name).read_bytes() == (tmp_path / "at-once" / name).read_bytes()


@pytest.mark.usefixtures("in_small_parts")
@pytest.mark.parametrize("name", TABLES)
def test_a_row_that_a_file_has_twice_far_apart_is_damage(tmp_path, name):
    for one, rows in rows_of(range(20)).items():
        twice = [*rows, rows[0]] if one == name else rows
        table = pa.Table.from_pylist(twice, schema.table_of(rows, TABLES[one]).schema)
        pq.write_table(table, tmp_path / one)
    mine, states = read(tmp_path, 20)
    assert (states, mine.damaged) == ({"waiting"}, [name])
    kept = {one: sum(map(len, mine.groups(one))) for one in TABLES}
    assert [one for one, count in kept.items() if count == 0] == [name]


def test_journals_whose_values_fit_no_column_are_damaged(tmp_path, monkeypatch):
    found = rows_of(range(2))
    for name, rows in found.items():
        digest = schema.write(tmp_path / name, rows, TABLES[name])
        more = [{**row, "x.y": value} for row, value in zip(rows, [1, "a"], strict=False)]
        Journal(tmp_path / name, digest).append([journaled([row]) for row in more])
    monkeypatch.setattr(loading, "_AT_ONCE", 1)
    mine, states = read(tmp_path, 2)
    assert (states, mine.damaged) == ({"complete"}, sorted(TABLES))
