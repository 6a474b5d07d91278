"""Rows of many trials as one table, a few trials at a time: as rows they take ten times as much."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import pyarrow as pa

from lttune.records.schema import Columns, kinds_in, table_of_values, type_of

ColumnValues: TypeAlias = Mapping[str, Sequence[Any]]
"""Name of a column -> its value in each row."""
Kinds: TypeAlias = frozenset[tuple[str, frozenset[type]]]
"""Names of columns that are not documented, each with the types of what is in it."""

MOST_GROUPED = 1 << 17
"""Rows of a table that are in memory, and in a group of its file, at most: some 150 MB."""


def kinds_of(values: ColumnValues, columns: Columns) -> Kinds:
    """Returns what the columns of some rows hold that are not among the documented ones."""
    return frozenset((name, kinds_in(values[name])) for name in values.keys() - columns)


def types_of(kinds: Iterable[Kinds]) -> dict[str, pa.DataType]:
    """Returns the types of the columns of which all of this is known."""
    found = defaultdict[str, set[type]](set)
    for some in kinds:
        for name, types in some:
            found[name] |= types
    return {name: type_of(name, types) for name, types in found.items()}


def grouped(
    parts: Iterable[Sequence[ColumnValues]], columns: Columns, others: Mapping[str, pa.DataType]
) -> Iterator[pa.Table]:
    """Yields what ``table_of`` makes of the rows of all parts at once, ``MOST_GROUPED`` at a time.

    Args:
        parts: of each trial the values of its columns, as ``journaled`` gives them; trials are in
            the order of their numbers.
        columns: those that are documented.
        others: the types of the others.
    """
    waiting = table_of_values(dict.fromkeys((*columns, *others), ()), columns, others)
    is_first = True
    for trials in parts:
        waiting = pa.concat_tables([waiting, _table(trials, columns, others)])
        while len(waiting) >= MOST_GROUPED:
            yield waiting.slice(0, MOST_GROUPED).combine_chunks()
            waiting, is_first = waiting.slice(MOST_GROUPED), False
    if is_first or len(waiting):
        yield waiting.combine_chunks()


def _table(
    trials: Sequence[ColumnValues], columns: Columns, others: Mapping[str, pa.DataType]
) -> pa.Table:
    """Returns a table of the rows of some trials; to make it of rows takes twice as long."""
    found: dict[str, list[Any]] = {name: [] for name in (*columns, *others)}
    for values in trials:
        more = len(next(iter(values.values()), ()))
        for name in found.keys() - values.keys():
            found[name] += [None] * more
        for name, of_rows in values.items():
            found[name].extend(of_rows)
    return table_of_values(found, columns, others)
