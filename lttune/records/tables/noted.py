"""What the journal of a table says, as columns, and one table of it and the file that it is of."""

from __future__ import annotations

import contextlib
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lttune.records import schema
from lttune.records.rules import require_bounded_cells
from lttune.records.tables.files import (
    KEYS,
    TABLES,
    TOLD_BY,
    Row,
    columns_of,
    journaled,
    journaled_rows,
)
from lttune.records.tables.joining import MOST_GROUPED
from lttune.store.formats.journal import journal_of

ColumnPart: TypeAlias = pa.Array | pa.ChunkedArray | list[Any]
"""Of some rows what a column has: packed where all of it is of one type."""

_PACKED = {pa.bool_(): bool, pa.int64(): int, pa.float64(): float, pa.string(): str}
_AT_ONCE = 1 << 20
"""Cells of a journal's rows that are in memory as Python's values."""


@dataclass(kw_only=True, eq=False)
class Noted:
    """The rows of a journal; of a network that was trained again the last row holds."""

    lines: int = 0
    rows: int = 0
    last: dict[tuple[Any, ...], int] = field(default_factory=dict)
    """What tells a row apart -> the place of the last of its rows."""
    groups: list[dict[str, ColumnPart]] = field(default_factory=list)
    """Their columns, some rows at a time."""

    def kept(self) -> Iterator[dict[str, ColumnPart]]:
        """Yields the columns of the groups, of the rows that hold."""
        places, first = sorted(self.last.values()), 0
        for group in self.groups:
            end = first + len(next(iter(group.values())))
            begin, stop = (bisect_left(places, one) for one in (first, end))
            mine = [place - first for place in places[begin:stop]]
            if mine:
                yield {name: _taken(values, mine) for name, values in group.items()}
            first = end


def noted_in(path: Path, lines: Iterable[Any]) -> Noted:
    """Returns what the lines of a table's journal say.

    Args:
        path: the table's file.
        lines: of its journal.

    Raises:
        DamagedError: if one is none that a table's journal has.
        StorageError: if they would take more memory than files of their size may.
    """
    found, key = Noted(), KEYS[path.stem]
    waiting, names, all_names = list[Row](), set[str](), set[str]()

    def pack() -> None:
        # Of rows of few columns and one of many each gets them all.
        all_names.update(names)
        _require_room(path, len(found.last), len(all_names))
        with schema.about_bytes(journal_of(path)):
            found.groups.append(_packed(waiting))
        waiting.clear()
        names.clear()

    for line in lines:
        found.lines += 1
        with schema.about_bytes(journal_of(path)):
            rows, own = [*journaled_rows([line])], {*line}
        if waiting and (len(waiting) + len(rows)) * len(names | own) > _AT_ONCE:
            pack()
        with schema.about_bytes(journal_of(path)):
            for place, row in enumerate(rows, found.rows):
                found.last[key(row)] = place
        found.rows += len(rows)
        waiting += rows
        names |= own
    if waiting:
        pack()
    return found


def joined(path: Path, table: pa.Table, since: Noted) -> pa.Table:
    """Returns a table with the rows of its journal, as ``schema.table_of`` makes it of all rows.

    Args:
        path: the table's file.
        table: what that holds.
        since: what its journal says.

    Raises:
        DamagedError: if there is no such table.
        StorageError: if it would take more memory than files of their size may.
    """
    columns = TABLES[path.name]
    with schema.about_bytes(journal_of(path)):
        older = _without(table, since.last, TOLD_BY[path.stem])
        parts = [*([columns_of(older)] if len(older) else ()), *since.kept()]
        names = {name for part in parts for name in part}
        if since.lines:
            count = len(older) + len(since.last)
            _require_room(path, count, len(names))
        kinds = {
            name: set[type]().union(*(_kinds(part[name]) for part in parts if name in part))
            for name in sorted(names - columns.keys())
        }
        others = {name: schema.type_of(name, found) for name, found in kinds.items()}
        fields = schema.fields_of(columns, others)
        arrays = [
            pa.chunked_array([chunk for part in parts for chunk in _cast(part, one)], one.type)
            for one in fields
        ]
        return _in_order(pa.Table.from_arrays(arrays, schema=pa.schema(fields)), columns)


def _require_room(path: Path, rows: int, names: int) -> None:
    require_bounded_cells(path, rows, names, ("rows", "columns"))


def _without(table: pa.Table, keys: Collection[tuple[Any, ...]], told: Sequence[str]) -> pa.Table:
    """Returns the rows of a table that have none of some keys."""
    if not keys or not len(table):
        return table
    if lacking := [name for name in told if name not in table.column_names]:
        raise KeyError(lacking[0])
    kept: list[pa.Table] = []
    for first in range(0, len(table), MOST_GROUPED):
        part = table.slice(first, MOST_GROUPED)
        found = zip(*(part[name].to_pylist() for name in told), strict=True)
        kept.append(part.filter(pa.array([key not in keys for key in found])))
    return pa.concat_tables(kept)


def _packed(rows: Sequence[Row]) -> dict[str, ColumnPart]:
    return {name: _pack(values) for name, values in journaled(rows).items()}


def _pack(values: list[Any]) -> ColumnPart:
    kinds = schema.kinds_in(values)
    if len(kinds) <= 1:
        # What cannot be packed is told of where all of its column is known.
        with contextlib.suppress(Exception):
            return pa.array(values, schema.type_of("", kinds) if kinds else pa.null())
    return values


def _taken(values: ColumnPart, places: list[int]) -> ColumnPart:
    if len(places) == len(values):
        return values
    if isinstance(values, list):
        return [values[place] for place in places]
    return values.take(pa.array(places))


def _kinds(values: ColumnPart) -> frozenset[type]:
    """Returns the types of the values of a column that are not missing."""
    if not isinstance(values, list):
        if values.type in _PACKED and values.null_count < len(values):
            return frozenset({_PACKED[values.type]})
        values = values.to_pylist()
    return schema.kinds_in(values)


def _cast(part: Mapping[str, ColumnPart], one: pa.Field) -> list[pa.Array]:
    """Returns the values of a column in its type."""
    if one.name not in part:
        return [pa.nulls(len(next(iter(part.values()))), one.type)]
    values = part[one.name]
    if isinstance(values, list) or values.type != one.type:
        values = pa.array(values if isinstance(values, list) else values.to_pylist(), one.type)
    return values.chunks if isinstance(values, pa.ChunkedArray) else [values]


def _in_order(table: pa.Table, columns: schema.Columns) -> pa.Table:
    keys = table.select([name for name in schema.ORDER if name in columns])
    if any(column.null_count for column in keys.columns):
        values = [*zip(*(column.to_pylist() for column in keys.columns), strict=True)]
        places = pa.array(sorted(range(len(values)), key=values.__getitem__))
    else:
        by = [(name, "ascending") for name in keys.column_names]
        places = pc.call_function("sort_indices", [keys], pc.SortOptions(sort_keys=by))
    is_sorted = np.array_equal(places, np.arange(len(table)))
    return table if is_sorted else table.take(places)
