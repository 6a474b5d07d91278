"""Rows in the journals of the tables: readers see them, and what is written at last is the same."""

from __future__ import annotations

import dataclasses
import math
import shutil

import pyarrow as pa
import pytest
import stored_study
from changed_bytes import flip
from hypothesis import given, settings
from hypothesis import strategies as st

import analysis
from lttune.errors import DamagedError, StorageError
from lttune.records import schema
from lttune.records.ledger import Ledger, Trial
from lttune.records.tables import (
    TABLES,
    Tables,
    joining,
    journaled,
    rows_in,
    sound_table,
    tables,
)
from lttune.records.tables.joining import grouped, kinds_of, types_of
from lttune.store.formats.journal import Journal, journal_of

RECORDS = "records.parquet"
KINDS = st.none() | st.integers(0, 3) | st.floats(0, 1) | st.just(math.inf)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    trials = ({}, {"train.lr": 0.05}, {"train.lr": 0.1})
    return stored_study.make(tmp_path_factory.mktemp("study"), trials=trials, has_layers=True)


@pytest.fixture
def study(tmp_path, trained):
    shutil.copytree(trained.parent, tmp_path / "study")
    return tmp_path / "study" / trained.name


def taken(study, number):
    """The rows of a trial by level, as its worker reports them."""
    found = {name: schema.read(study / name) for name in TABLES}
    levels = sorted({row["level"] for row in found[RECORDS] if row["trial"] == number})
    return [
        {
            name: [r for r in rows if (r["trial"], r["level"]) == (number, level)]
            for name, rows in found.items()
        }
        for level in levels
    ]


def trial_of(study, number) -> Trial:
    return Ledger.open(study / "trials.json").trials[number]


def test_what_is_noted_is_read_and_written_at_last_as_all_at_once(study, tmp_path):
    before = {name: (study / name).read_bytes() for name in TABLES}
    other = tmp_path / "other"
    other.mkdir()
    known = Ledger.open(study / "trials.json").trials
    mine = Tables(other, "digits")
    for trial in known:
        for level in taken(study, trial.number):
            mine.note(trial, level[RECORDS], level["layers.parquet"])
            for name in TABLES:
                whole = whole_table(mine, name).to_pylist()
                assert sound_table(other / name, None).to_pylist() == whole
        mine.flush()
    assert all(journal_of(other / name).exists() for name in TABLES)
    assert mine.write() == []
    assert not any(journal_of(other / name).exists() for name in TABLES)
    assert {name: (other / name).read_bytes() for name in TABLES} == before


def test_what_was_packed_is_what_it_was(study, tmp_path, monkeypatch):
    """Also when it is taken up again, and when a table is made a few trials at a time."""
    (tmp_path / "other").mkdir()
    plain, packed = (Tables(tmp_path / "other", "digits") for _ in range(2))
    known = Ledger.open(study / "trials.json").trials
    for trial in known:
        for level in taken(study, trial.number):
            for mine in (plain, packed):
                mine.keep(trial, level[RECORDS], level["layers.parquet"])
        assert plain.of(trial)
        for _ in range(2):
            packed.pack(trial)
            assert packed.of(trial) == plain.of(trial)
            assert packed.counts(trial) == plain.counts(trial)
    assert not packed._rows
    monkeypatch.setattr(tables, "_AT_ONCE", 2)
    for name in TABLES:
        assert whole_table(packed, name).equals(whole_table(plain, name), check_metadata=True)
    again = taken(study, 1)[0]
    again[RECORDS][0]["test_loss"] = math.inf
    for mine in (plain, packed):
        mine.keep(known[1], again[RECORDS], again["layers.parquet"])
        mine.pack(known[1])
    assert packed.of(known[1]) == plain.of(known[1])
    assert math.inf in [row["test_loss"] for row in packed.of(known[1])]


@settings(deadline=None)
@given(
    values=st.lists(
        st.dictionaries(st.sampled_from(["train.lr", "measured.a", "x"]), KINDS), max_size=9
    ),
    at_once=st.integers(1, 4),
    most=st.integers(1, 6),
)
def test_parts_of_a_table_make_the_whole_one(values, at_once, most):
    rows = [
        {**dict.fromkeys(schema.MEASURES), "trial": n, "replicate": 0, "level": 0}
        | {"branch": "trunk", "study": "x", **more}
        for n, more in enumerate(values)
    ]
    trials = [journaled([row]) for row in rows]
    parts = [trials[first : first + at_once] for first in range(0, len(rows), at_once)]
    whole = schema.table_of(rows, schema.MEASURES)
    others = types_of(kinds_of(trial, schema.MEASURES) for trial in trials)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(joining, "MOST_GROUPED", most)
        found = [*grouped(parts, schema.MEASURES, others)]
    assert [*map(len, found)] == [*map(len, groups_of(whole, most))]
    assert pa.concat_tables(found).equals(whole, check_metadata=True)


def groups_of(table, most):
    return [table.slice(first, most) for first in range(0, len(table), most)] or [table]


def whole_table(tables, name):
    return pa.concat_tables(tables.groups(name))


def test_a_journal_that_outgrew_its_table_becomes_part_of_it(study, tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "MOST_NOTED_ROWS", 2)
    other = tmp_path / "other"
    other.mkdir()
    mine, sizes = Tables(other, "digits"), []
    for trial in Ledger.open(study / "trials.json").trials:
        for level in taken(study, trial.number):
            mine.note(trial, level[RECORDS], level["layers.parquet"])
            mine.flush()
            sizes.append(len(schema.read(other / RECORDS)))
    assert 1 < len({*sizes}) < len(sizes)
    assert sizes == sorted(sizes)
    assert rows_in(other / RECORDS) == rows_in(study / RECORDS)


@settings(deadline=None)
@given(
    lines=st.lists(
        st.tuples(
            st.integers(0, 3), st.dictionaries(st.sampled_from(["train.lr", "measured.a"]), KINDS)
        ),
        max_size=8,
    ),
    whole=st.integers(0, 8),
)
def test_columns_of_any_kind_are_those_of_one_table(lines, whole, tmp_path_factory):
    """However the rows are spread over file and journal, and which of them are written twice."""
    folder = tmp_path_factory.mktemp("tables")
    rows = [
        {**dict.fromkeys(schema.MEASURES), "trial": n, "replicate": 0, "level": 0}
        | {"branch": "trunk", "study": "x", "test_loss": values.get("train.lr"), **values}
        for n, values in lines
    ]
    last = {row["trial"]: row for row in rows}
    first = {row["trial"]: row for row in rows[:whole]}
    path = folder / RECORDS
    digest = schema.write(path, list(first.values()))
    written = Journal(path, digest, has_infinities=True)
    written.append([journaled([row]) for row in rows[whole:]])
    found = rows_in(path)
    assert schema.write(folder / "b.parquet", list(last.values()))
    expected = schema.read(folder / "b.parquet")
    columns = {name for row in expected for name in row}
    assert [{n: row.get(n) for n in columns} for row in found] == expected


def test_a_study_whose_driver_was_killed_is_read_with_its_journals(study):
    """By all readers, and by the study's own command, which goes on from there."""
    whole, kept = analysis.load(study), schema.read(study / RECORDS)
    last = whole.trials["number"].max()
    for name in TABLES:
        rows = schema.read(study / name)
        first = [row for row in rows if row["trial"] != last]
        digest = schema.write(study / name, first, TABLES[name])
        written = Journal(study / name, digest)
        for level in taken_of(rows, last):
            written.append([journaled(level)])
    again = analysis.load(study)
    assert again.records.equals(whole.records)
    assert again.layers.equals(whole.layers)
    ledger = Ledger.open(study / "trials.json")
    mine = Tables(study, "digits")
    mine.read(ledger)
    assert [trial.state for trial in ledger.trials] == ["complete"] * len(ledger.trials)
    mine.write()
    assert schema.read(study / RECORDS) == kept


def taken_of(rows, number):
    mine = [row for row in rows if row["trial"] == number]
    return [[r for r in mine if r["level"] == n] for n in sorted({r["level"] for r in mine})]


@pytest.mark.parametrize("name", TABLES)
def test_of_a_damaged_journal_the_rest_is_made_anew_and_both_are_kept(study, name):
    """The file that it goes on from is sound: trials whose rows are in it stay complete."""
    tables_of = {one: schema.read(study / one) for one in TABLES}
    ledger = Ledger.open(study / "trials.json")
    for trial in ledger.trials:
        trial.rows = {
            one.split(".")[0]: sum(row["trial"] == trial.number for row in rows)
            for one, rows in tables_of.items()
        }
    first = [row for row in tables_of[name] if row["trial"] == 0]
    later = [row for row in tables_of[name] if row["trial"] > 0]
    digest = schema.write(study / name, first, TABLES[name])
    Journal(study / name, digest).append([journaled(later)])
    flip(journal_of(study / name))
    with pytest.raises(DamagedError, match=r"\.journal is damaged"):
        sound_table(study / name, None)
    mine = Tables(study, "digits")
    mine.read(ledger)
    assert [trial.state for trial in ledger.trials] == ["complete", "waiting", "waiting"]
    (told,) = mine.renew()
    journal = journal_of(study / name).name
    assert told == (
        f"{name}, or {journal} beside it, was damaged: it is made anew, and kept as "
        f"{study / name}.damaged and {study / journal}.damaged"
    )
    assert not journal_of(study / name).exists()
    assert schema.read(study / name) == first


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([1], "damaged"),
        (["x"], "damaged"),
        ([{"trial": 1}], "damaged"),
        ([{"trial": [1, 2], "level": [1]}], "damaged"),
        ([{"trial": [0], "replicate": [0], "branch": [[1]], "level": [0]}], "damaged"),
        ([{"trial": ["x"], "replicate": [0], "branch": ["trunk"], "level": [0]}], "damaged"),
        ([{"level": [0]}], "damaged"),
    ],
)
def test_lines_that_are_no_rows_are_one_line(study, lines, told):
    path = study / RECORDS
    Journal(path, schema.write(path, schema.read(path))).append(lines)
    with pytest.raises(DamagedError, match=told) as error:
        sound_table(path, None)
    assert "\n" not in str(error.value)


def test_rows_of_ever_other_columns_fill_no_memory(study):
    """A kilobyte a row, and a column for each row in all of them."""
    path = study / RECORDS
    rows = [
        {"trial": n, "replicate": 0, "branch": "trunk", "level": 0, f"train.{n}": 1}
        for n in range(6_000)
    ]
    Journal(path, schema.write(path, [])).append(journaled([row]) for row in rows)
    with pytest.raises(StorageError, match=r"a table of its \d,\d+ rows and their \d,\d+ columns"):
        rows_in(path)


def test_rows_of_trials_that_run_are_noted_and_no_reason_to_rebuild(study, tmp_path):
    first = taken(study, 0)
    other = tmp_path / "other"
    other.mkdir()
    mine, trial = Tables(other, "digits"), trial_of(study, 0)
    for level in first[:2]:
        mine.note(trial, level[RECORDS], level["layers.parquet"])
    running = Ledger(path=other / "trials.json", trials=[dataclasses.replace(trial)])
    running.trials[0].state = "waiting"
    again = Tables(other, "digits")
    again.read(running)
    assert again.reached == {0: max(row["level"] for row in first[1][RECORDS])}
    assert [*map(len, again.groups(RECORDS))] == [0]
    assert not again.is_empty  # Of its networks something is known.
    assert Tables(tmp_path / "nothing", "digits").is_empty
