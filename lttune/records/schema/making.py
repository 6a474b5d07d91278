"""Rows of trials as a table."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from operator import itemgetter
from typing import Any

import pyarrow as pa

from lttune.records.schema.documented import ORDER, OWN_MEASURES, Columns

_TYPES = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}


def table_of(rows: Sequence[Mapping[str, Any]], columns: Columns) -> pa.Table:
    """Returns rows as a table, in the order of ``ORDER``.

    The documented columns come first, then the others in sorted order.

    Args:
        rows: the table's.
        columns: those that are documented.
    """
    return table_of_values(_by_column(rows, columns), columns)


def table_of_values(
    values: Mapping[str, Sequence[Any]],
    columns: Columns,
    others: Mapping[str, pa.DataType] | None = None,
) -> pa.Table:
    """Returns what ``table_of`` does of rows whose values are given by column, all that it has.

    Args:
        values: of each column.
        columns: those that are documented.
        others: the types of those that are not; None has each of what is in it.
    """
    keys = list(zip(*(values[name] for name in ORDER if name in columns), strict=True))
    places = sorted(range(len(keys)), key=keys.__getitem__)
    if len(places) > 1 and places != [*range(len(keys))]:
        values = {name: itemgetter(*places)(found) for name, found in values.items()}
    if others is None:
        others = {n: type_of(n, kinds_in(values[n])) for n in values.keys() - columns}
    fields = fields_of(columns, others)
    arrays = [pa.array(values[field.name], field.type) for field in fields]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def fields_of(columns: Columns, others: Mapping[str, pa.DataType]) -> list[pa.Field]:
    """Returns the fields of a table: the documented columns, then the others in sorted order."""
    fields = [pa.field(n, t, metadata={"doc": doc}) for n, (t, doc) in columns.items()]
    return fields + [pa.field(name, others[name]) for name in sorted(others)]


def _by_column(rows: Sequence[Mapping[str, Any]], columns: Columns) -> dict[str, tuple[Any, ...]]:
    """Returns the values of each column that is documented or in a row; None where a row has none.

    Each row is read once, as a whole: half the time of looking every column up in every row.
    """
    blank = dict.fromkeys([*columns, *set().union(*rows).difference(columns)])
    values = zip(*(({**blank, **row}).values() for row in rows), strict=True)
    return dict(zip(blank, values, strict=True)) if rows else dict.fromkeys(blank, ())


def kinds_in(values: Sequence[Any]) -> frozenset[type]:
    """Returns the types of some values that are not missing."""
    return frozenset(map(type, values)) - {type(None)}


def type_of(name: str, kinds: Collection[type]) -> pa.DataType:
    """Returns the type of a column that is not documented; text if there is nothing in it.

    Raises:
        ValueError: if there is none that all of them have.
    """
    if name.startswith(OWN_MEASURES):
        return pa.float64()
    # A learning rate written as 1 in one trial and 0.5 in another is one float column.
    found = {float} if {*kinds} == {int, float} else {*kinds} or {str}
    if len(found) > 1 or not found <= _TYPES.keys():
        raise ValueError(f"{name} has values of {', '.join(sorted(one.__name__ for one in found))}")
    return _TYPES[found.pop()]
