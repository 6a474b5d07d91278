"""The columns of a table that somebody else may have written: each holds what its reader expects."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from lttune.config.fields import is_int, said
from lttune.errors import StorageError
from lttune.records.schema import MEASURES, Columns

_HELD: dict[pa.DataType, tuple[str, Callable[[Any], bool]]] = {
    pa.string(): ("a text", lambda value: isinstance(value, str)),
    pa.bool_(): ("true or false", lambda value: isinstance(value, bool)),
    pa.int64(): ("a whole number", is_int),
    pa.float64(): (
        "a number",
        lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    ),
}
"""Type of a documented column -> what each of its values is, in words and as a test."""


def require_columns(
    path: Path,
    rows: Sequence[Mapping[str, Any]],
    names: Collection[str],
    documented: Columns = MEASURES,
) -> None:
    """Checks that columns are there and hold values of their documented type, without gaps.

    Args:
        path: the table's file.
        rows: what was read of it.
        names: the columns that are read.
        documented: the types of the table's columns.

    Raises:
        StorageError: naming the column, its rule and the first value that breaks it.
    """
    if rows and (missing := [name for name in names if name not in rows[0]]):
        raise StorageError(f"{path} lacks {', '.join(missing)}")
    for name in names:
        words, fits = _HELD[documented[name][0]]
        for row in rows:
            if not fits(row[name]):
                raise StorageError(f"{path}: {name} must be {words}, got {said(row[name])}")
