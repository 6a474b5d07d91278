"""Rows of many trials as one table, a few trials at a time: as rows they take ten times as much."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import pyarrow as pa

from lttune.records.schema import Columns, fields_of, table_of, table_of_values

ColumnValues: TypeAlias = Mapping[str, Sequence[Any]]
"""Name of a column -> its value in each row."""


def joined(parts: Iterable[Sequence[ColumnValues]], columns: Columns) -> pa.Table:
    """Returns what ``table_of`` makes of the rows of all parts at once.

    Args:
        parts: of each trial the values of its columns, as ``journaled`` gives them; trials are in
            the order of their numbers.
        columns: those that are documented.
    """
    tables = [_table(trials, columns) for trials in parts] or [table_of([], columns)]
    if len(tables) == 1:
        return tables[0]
    fields = fields_of(columns, {name: _type(name, tables) for name in _others(tables, columns)})
    arrays = [_column(field, tables) for field in fields]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields)).combine_chunks()


def _table(trials: Sequence[ColumnValues], columns: Columns) -> pa.Table:
    """Returns a table of the rows of some trials; to make it of rows takes twice as long."""
    found: dict[str, list[Any]] = {name: [] for name in columns}
    count = 0
    for values in trials:
        more = len(next(iter(values.values()), ()))
        for name in found.keys() - values.keys():
            found[name] += [None] * more
        for name, of_rows in values.items():
            found.setdefault(name, [None] * count).extend(of_rows)
        count += more
    return table_of_values(found, columns)


def _others(tables: Sequence[pa.Table], columns: Columns) -> set[str]:
    return {name for table in tables for name in table.column_names} - columns.keys()


def _type(name: str, tables: Sequence[pa.Table]) -> pa.DataType:
    """Returns the type of a column that is not documented: of its values, text if it has none."""
    found = [table[name] for table in tables if name in table.column_names]
    types = {one.type for one in found if one.null_count < len(one)}
    if types == {pa.int64(), pa.float64()}:
        return pa.float64()
    return types.pop() if types else found[0].type


def _column(field: pa.Field, tables: Sequence[pa.Table]) -> pa.ChunkedArray:
    chunks = []
    for table in tables:
        has_it = field.name in table.column_names
        one = table[field.name] if has_it else pa.chunked_array([pa.nulls(len(table))])
        if one.null_count == len(one):  # Of another type, nothing there could not be cast.
            one = pa.chunked_array([pa.nulls(len(one), field.type)])
        chunks += one.cast(field.type).chunks
    return pa.chunked_array(chunks, field.type)
