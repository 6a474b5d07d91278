"""CSV files, which people open in a spreadsheet: no cell of text is taken for a formula there."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from lttune.store.sealed import BLANK, seal

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\0")
"""What a cell begins with that a spreadsheet may compute (OWASP, "CSV injection", and ASVS 1.2.10,
which has the null character)."""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


def save_csv(table: pd.DataFrame, path: Path) -> None:
    """Writes a table without its index; text that begins as a formula gets an apostrophe before it.

    Numbers stay as they are, negative ones and those that are written as text too. A cell that is
    ``BLANK`` has the seal of the file.

    Args:
        table: of any columns.
        path: the file, which is replaced.
    """
    data = _bytes(table, has_names=True)
    path.write_bytes(seal(data) if BLANK.encode() in data else data)


def save_csv_parts(parts: Iterable[pd.DataFrame], path: Path) -> None:
    """Writes tables of the same columns, one below the other, as ``save_csv`` does; without a seal.

    Args:
        parts: at least one; only one is in memory at a time.
        path: the file, which is replaced.
    """
    with path.open("wb") as file:
        for place, part in enumerate(parts):
            file.write(_bytes(part, has_names=place == 0))


def _bytes(table: pd.DataFrame, has_names: bool) -> bytes:
    shown = table.copy()
    for place in range(shown.shape[1]):
        column = shown.iloc[:, place]
        if column.dtype.kind == "O":
            # As objects: a column of whole numbers with a gap would become one of floats.
            cells = pd.Series([shown_cell(value) for value in column], column.index, dtype=object)
            shown.isetitem(place, cells.to_numpy())
    shown.columns = pd.Index([shown_cell(name) for name in table.columns], dtype=object)
    return shown.to_csv(index=False, header=has_names, lineterminator="\n").encode()


def shown_cell(value: Any) -> Any:
    """Returns a value as a cell shows it; a spreadsheet does not show the apostrophe.

    A carriage return becomes a line feed, within the cell: unquoted it would begin a new row.
    """
    if not isinstance(value, str):
        return value
    is_formula = value.startswith(FORMULA) and not _NUMBER.fullmatch(value)
    text = value.replace("\r\n", "\n").replace("\r", "\n")
    return f"'{text}" if is_formula else text
