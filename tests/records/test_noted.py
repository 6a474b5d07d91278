"""Journals whose lines have few columns and many: rows that wait do not get those of each other."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lttune.errors import StorageError
from lttune.records.tables import noted
from lttune.records.tables.noted import noted_in
from lttune.store.formats import parquet

KEYS = ("trial", "replicate", "branch", "level")


def line(first: int, count: int, columns: int) -> dict[str, list]:
    """Rows of a journal: what tells them apart, and columns of their own."""
    told = {"trial": [*range(first, first + count)], "replicate": [0] * count}
    own = {f"own.{first}.{n}": [0.5] * count for n in range(columns)}
    return {**told, "branch": ["trunk"] * count, "level": [0] * count, **own}


def test_rows_that_wait_for_their_columns_fill_no_more_cells_than_are_said(tmp_path, monkeypatch):
    monkeypatch.setattr(noted, "_AT_ONCE", 200)
    monkeypatch.setattr(noted, "require_bounded_cells", lambda *_: None)
    lines = [line(0, 20, 0), line(20, 1, 90), line(21, 3, 30), line(24, 2, 5)]
    found = noted_in(tmp_path / "records.parquet", lines)
    sizes = [len(group) * len(next(iter(group.values()))) for group in found.groups]
    assert max(sizes) <= 200
    assert sum(len(group["trial"]) for group in found.groups) == found.rows == 26
    assert {name for group in found.groups for name in group} == {*KEYS}.union(*lines)


def test_a_journal_that_would_fill_memory_is_refused_before_it_does(tmp_path, monkeypatch):
    def packed(rows):
        assert len(rows) <= 3_000
        return {"trial": [row["trial"] for row in rows]}

    monkeypatch.setattr(noted, "_packed", packed)
    (tmp_path / "records.parquet").touch()
    lines = [line(0, 3_000, 0), line(3_000, 1, 3_000), line(3_001, 1, 1)]
    with pytest.raises(StorageError, match=r"a table of its 3,00[12] rows and their 3,00"):
        noted_in(tmp_path / "records.parquet", lines)


def test_a_text_of_a_dictionary_counts_in_each_row(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "_MOST_AT_ONCE", 100)
    text = "x" * 100_000
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 2_000, pa.int32()), [text])
    path = tmp_path / "records.parquet"
    pq.write_table(pa.table({"text": column}), path)
    data, read = path.read_bytes(), []
    batches = parquet.parquet_parts(parquet.parquet_file(data), data)
    with pytest.raises(ValueError, match="its rows would fill more than 64 MB"):  # noqa: PT012
        for batch in batches:
            read.append(batch.num_rows)
    assert sum(read) < 1_000
