"""Columns of a table that somebody else may have written: each holds what its reader expects."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import NoneType
from typing import Any

import pyarrow as pa

from lttune.errors import StorageError, quoted
from lttune.records.schema import MEASURES, Columns

_HELD: dict[pa.DataType, tuple[str, set[type]]] = {
    pa.string(): ("a text", {str}),
    pa.bool_(): ("true or false", {bool}),
    pa.int64(): ("a whole number", {int}),
    pa.float64(): ("a number", {int, float}),
}
"""Type of a documented column -> what each of its values is, in words and in Python's types."""

ALWAYS_FINITE = frozenset(n for n in MEASURES if n == "density" or n.endswith("_accuracy"))
"""Columns of numbers that are averaged and drawn: a diverged network has chance there."""

RANGES: dict[str, tuple[str, Callable[[float], bool]]] = {
    "density": ("in (0, 1]", lambda value: 0 < value <= 1),
    "prunable": ("at least 1", lambda value: value >= 1),
}
"""Column -> its rule, in words and as a test: logarithms and shares are taken of these."""


def require_columns(
    path: Path,
    rows: Sequence[Mapping[str, Any]],
    names: Collection[str],
    documented: Columns = MEASURES,
    gaps: bool = False,
) -> None:
    """Checks that columns are there and hold values of their documented types.

    Args:
        path: the table's file.
        rows: what was read of it.
        names: the columns that are read.
        documented: the types of the table's columns.
        gaps: whether a value may be missing.

    Raises:
        StorageError: naming the column, its rule and the first value that breaks it.
    """
    if rows and (missing := [name for name in names if name not in rows[0]]):
        raise StorageError(f"{path} lacks {', '.join(missing)}")
    for name in names:
        words, types = _HELD[documented[name][0]]
        held = types | {NoneType} if gaps else types
        if not {type(row[name]) for row in rows} <= held:
            bad = next(row[name] for row in rows if type(row[name]) not in held)
            raise StorageError(f"{path}: {name} must be {words}, got {quoted(bad)}")
        if name in ALWAYS_FINITE:
            for row in rows:
                if row[name] is not None and not math.isfinite(row[name]):
                    text = f"{name} must be a finite number, got {quoted(row[name])}"
                    raise StorageError(f"{path}: {text}")
        if name in RANGES and documented is MEASURES:  # A layer may have lost all its weights.
            rule, holds = RANGES[name]
            for row in rows:
                if row[name] is not None and not holds(row[name]):
                    raise StorageError(f"{path}: {name} must be {rule}, got {quoted(row[name])}")
