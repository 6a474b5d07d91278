"""Rows of many trials as one table, a few trials at a time: as rows they take ten times as much."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pyarrow as pa

from lttune.records.schema import ORDER, Columns, fields_of, table_of
from lttune.records.tables.files import Row


def joined(parts: Iterable[Sequence[Row]], columns: Columns) -> pa.Table:
    """Returns what ``table_of`` makes of the rows of all parts at once.

    Args:
        parts: rows; of each, one is in one part alone.
        columns: those that are documented.
    """
    tables = [table_of(rows, columns) for rows in parts] or [table_of([], columns)]
    if len(tables) == 1:
        return tables[0]
    fields = fields_of(columns, {name: _type(name, tables) for name in _others(tables, columns)})
    arrays = [_column(field, tables) for field in fields]
    order = [(name, "ascending") for name in ORDER if name in columns]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields)).sort_by(order).combine_chunks()


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
