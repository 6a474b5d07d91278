"""A table that is read as columns is what it was as rows: values, types, and what is refused."""

from __future__ import annotations

import datetime
import decimal
import math
import re
import shutil
from operator import itemgetter
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis import load
from lttune.errors import DamagedError
from lttune.records import schema
from lttune.records.folder import read_sheet
from lttune.records.tables import (
    TABLES,
    TrialRows,
    columns_of,
    journaled,
    rows_in,
    sound_table,
    table_in,
    trial_counts,
    whole_tables,
)
from lttune.records.tables.frames import frame_of
from lttune.store.formats import parquet
from lttune.store.formats.journal import Journal

RESULTS = Path(__file__).parents[2] / "docs" / "results"
STUDIES = [path.parent for path in sorted(RESULTS.glob("*/records.parquet"))]
RECORDS = "records.parquet"


def by_rows(path: Path, since: list[dict] = ()) -> pd.DataFrame:
    """The frame of all rows as Python's values, the last of each; those of a journal typed anew."""
    rows = pq.read_table(path).to_pylist()
    if since:
        told = ("trial", "replicate", "branch" if "branch" in rows[0] else "layer", "level")
        key = itemgetter(*told)
        rows = [*{key(row): row for row in [*rows, *since]}.values()]
        rows = schema.table_of(rows, TABLES[path.name]).to_pylist()
    return pd.DataFrame(rows)


def by_columns(path: Path) -> pd.DataFrame:
    return frame_of(columns_of(table_in(path)), TABLES[path.name])


@pytest.mark.parametrize("folder", STUDIES, ids=lambda folder: folder.name)
def test_the_frames_of_a_study_are_those_of_its_rows(folder, monkeypatch):
    for name in TABLES:
        pd.testing.assert_frame_equal(by_columns(folder / name), by_rows(folder / name))
    monkeypatch.setattr(parquet, "_MOST_AT_ONCE", 1_000)
    frame, rows = load(folder), by_rows(folder / RECORDS)
    keys = ["phase", "trial", "replicate", "branch", "level"]
    pd.testing.assert_frame_equal(frame.records, rows.sort_values(keys, ignore_index=True))
    pd.testing.assert_frame_equal(frame.layers, by_rows(folder / "layers.parquet"))


@pytest.fixture
def journaled_study(tmp_path):
    """A study a third of whose trials are in its journals, some in both, as a killed one's are."""
    folder = tmp_path / "study"
    shutil.copytree(STUDIES[0], folder, ignore=shutil.ignore_patterns("figures"))
    since: dict[str, list[dict]] = {}
    for name in TABLES:
        rows = [row for row in schema.read(folder / name) if row["trial"] < 30]
        first = [row for row in rows if row["trial"] < 20]
        again = [{**row, "surviving": 7} for row in rows if row["trial"] > 15]
        since[name] = [row for row in rows if row["trial"] >= 20] + again
        study_id = read_sheet(folder).get("study_id")
        digest = schema.write(folder / name, first, TABLES[name], study_id)
        journal = Journal(folder / name, digest, has_infinities=True)
        journal.append(journaled(since[name][at : at + 5]) for at in range(0, len(since[name]), 5))
    return folder, since


def test_the_frames_of_a_study_with_journals_are_those_of_its_rows(journaled_study):
    folder, since = journaled_study
    for name in TABLES:
        expected = by_rows(folder / name, since[name])
        pd.testing.assert_frame_equal(by_columns(folder / name), expected)
    study_id = read_sheet(folder).get("study_id")
    with whole_tables(folder, study_id) as paths:
        assert {path.name for path in paths} == {*TABLES}
        for path in paths:
            assert sound_table(path, study_id).equals(table_in(folder / path.name))


def test_a_table_that_is_not_there_or_has_no_rows_has_the_documented_columns(tmp_path):
    for name, columns in TABLES.items():
        path = tmp_path / name
        absent = by_columns(path)
        schema.write(path, [], columns)
        for found in (absent, by_columns(path)):
            assert [*found.columns] == [*columns]
            assert len(found) == 0
        assert trial_counts(sound_table(path, None)) == {}
        assert TrialRows(sound_table(path, None))[0] == []


GAPS = {
    "whole": [1, 2, 3],
    "whole with a gap": [1, None, 3],
    "number": [0.5, -0.0, math.inf],
    "number with a gap": [0.5, None, math.nan],
    "flag": [True, False, True],
    "flag with a gap": [True, None, False],
    "text": ["a", "", "c"],
    "text with a gap": ["a", None, "c"],
    "no whole": pa.nulls(3, pa.int64()),
    "no number": pa.nulls(3, pa.float64()),
    "no flag": pa.nulls(3, pa.bool_()),
    "no text": pa.nulls(3, pa.string()),
    "nothing": pa.nulls(3),
    "short": pa.array([1, None, 3], pa.int8()),
    "unsigned": pa.array([1, 2, 2**64 - 1], pa.uint64()),
    "single": pa.array([0.1, None, 2], pa.float32()),
    "listed": pa.array(["a", None, "a"]).dictionary_encode(),
    "long text": pa.array(["a", None, "c"], pa.large_string()),
    "day": [datetime.date(2020, 1, 1), None, datetime.date(2021, 1, 1)],
    "moment": [datetime.datetime(2020, 1, 1, 3), None, datetime.datetime(2021, 1, 1)],
    "decimal": pa.array([decimal.Decimal("1.5"), None, None], pa.decimal128(9, 2)),
}


def test_each_type_of_column_becomes_what_pandas_makes_of_its_values(tmp_path):
    table = pa.table({name: pa.array(v) if isinstance(v, list) else v for name, v in GAPS.items()})
    pq.write_table(table, tmp_path / RECORDS, store_decimal_as_integer=True)
    rows = pq.read_table(tmp_path / RECORDS).to_pylist()
    assert rows_in(tmp_path / RECORDS, schema.ANY_STUDY)[:2] == rows[:2]
    pd.testing.assert_frame_equal(by_columns(tmp_path / RECORDS), pd.DataFrame(rows))


def test_rows_of_a_trial_are_those_of_the_table_wherever_they_are(tmp_path):
    table = sound_table(STUDIES[0] / RECORDS, read_sheet(STUDIES[0]).get("study_id"))
    table = table.slice(0, 500)
    mixed = table.take(pa.array([*range(1, len(table), 2), *range(0, len(table), 2)]))
    for one in (table, mixed):
        found = TrialRows(one)
        rows = one.to_pylist()
        for number, count in trial_counts(one).items():
            expected = [row for row in rows if row["trial"] == number]
            assert (found[number], len(expected)) == (expected, count)
        assert found[-1] == []


BAD = [
    ("level", pa.int64(), {3: None}, "level must be a whole number, got None"),
    ("level", pa.int64(), {3: -1, 5: 10**6}, "level must be in [0, {}], got -1"),
    ("density", pa.float64(), {9: 0.0}, "density must be in (0, 1], got 0.0"),
    ("density", pa.float64(), {9: math.nan}, "density must be in (0, 1], got nan"),
    ("density", pa.float64(), {9: 1e-9}, "density must be at least 1 of prunable ({}), got 1e-09"),
    ("val_loss", pa.float64(), {2: 1e40}, "val_loss must be at most 1e+39 away from 0, or not"),
    ("val_accuracy", pa.float64(), {0: None}, "val_accuracy must be a number, got None"),
    ("train.lr", pa.float64(), {4: math.inf}, "train.lr must be a finite number, got inf"),
    ("train.lr", pa.int64(), {4: 2**53 + 1}, "train.lr must be a number, got 9007199254740993"),
    ("val_loss", pa.uint64(), {4: 2**63}, "val_loss must be a number, got 9223372036854775808"),
    ("model.name", pa.string(), {1: None}, "model.name must be a text, got None"),
    ("diverged", pa.string(), {0: "no"}, "diverged must be true or false, got 'no'"),
    ("seed", pa.float64(), {0: 1.5}, "seed must be a whole number, got 1.5"),
    ("density.fc1", pa.float64(), {7: 1.5}, "density.fc1 must be in [0, 1], got 1.5"),
    ("x", pa.date32(), {2: datetime.date(2020, 1, 1)}, "x must be texts, numbers or truth values"),
]


@pytest.mark.parametrize(("name", "kind", "wrong", "told"), BAD)
def test_of_a_column_the_first_value_that_breaks_its_rule_is_named(
    tmp_path, name, kind, wrong, told
):
    shutil.copy(STUDIES[0] / RECORDS, tmp_path)
    table = pq.read_table(tmp_path / RECORDS).slice(0, 50)
    own = table[name].to_pylist() if name in table.column_names else [None] * 50
    alike = name in table.column_names and table.schema.field(name).type == kind
    values = [
        wrong.get(at, value if alike else wrong.get(min(wrong))) for at, value in enumerate(own)
    ]
    column = pa.array(values, kind)
    at = table.column_names.index(name) if name in table.column_names else table.num_columns
    table = table.remove_column(at) if at < table.num_columns else table
    pq.write_table(table.add_column(at, name, column), tmp_path / RECORDS)
    with pytest.raises(DamagedError) as error:
        sound_table(tmp_path / RECORDS, schema.ANY_STUDY)
    pattern = ".*".join(map(re.escape, told.split("{}")))
    assert re.match(f"{re.escape(str(tmp_path / RECORDS))}: {pattern}", str(error.value))


def test_a_row_that_is_there_twice_is_named(tmp_path):
    shutil.copy(STUDIES[0] / RECORDS, tmp_path)
    table = pq.read_table(tmp_path / RECORDS).slice(0, 50)
    pq.write_table(pa.concat_tables([table, table.slice(3, 2)]), tmp_path / RECORDS)
    row = table.slice(3, 1).to_pylist()[0]
    place = ", ".join(f"{name} {row[name]}" for name in ("trial", "replicate", "branch", "level"))
    with pytest.raises(DamagedError, match=f"each of its rows once, got 2 of {place}$"):
        sound_table(tmp_path / RECORDS, schema.ANY_STUDY)


def test_a_text_that_is_none_is_damage(tmp_path):
    table = pa.table({"label": pa.array([b"ok", b"\xff\xfe"]).cast(pa.string(), safe=False)})
    pq.write_table(table, tmp_path / RECORDS)
    with pytest.raises(DamagedError, match="is damaged: 'utf-8' codec can't decode byte 0xff"):
        rows_in(tmp_path / RECORDS)
