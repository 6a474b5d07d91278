"""The files of a study's tables, and the lines of their journals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

import pyarrow as pa

from lttune.records import schema

Row = dict[str, Any]

TABLES: dict[str, schema.Columns] = {
    "records.parquet": schema.MEASURES,
    "layers.parquet": schema.LAYERS,
}
"""Name of a table's file -> the columns that it is written with."""

TOLD_BY = {
    "records": ("trial", "replicate", "branch", "level"),
    "layers": ("trial", "replicate", "level", "layer"),
}
"""Table -> the columns that tell its rows apart."""
KEYS = {table: itemgetter(*names) for table, names in TOLD_BY.items()}


def columns_of(table: pa.Table) -> dict[str, pa.ChunkedArray]:
    """Returns the columns of a table by their names."""
    return dict(zip(table.column_names, table.columns, strict=True))


def journaled(rows: Sequence[Row]) -> dict[str, list[Any]]:
    """Returns rows as a line of a journal has them: the values of each of their columns."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def journaled_rows(lines: Iterable[Mapping[str, Sequence[Any]]]) -> Iterator[Row]:
    """Yields the rows of lines that ``journaled`` made."""
    for line in lines:
        for values in zip(*line.values(), strict=True):
            yield dict(zip(line, values, strict=True))
