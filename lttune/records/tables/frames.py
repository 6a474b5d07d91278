"""A table as pandas has it."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa

from lttune.records.schema import Columns

_AS_THEY_ARE = (pa.bool_(), pa.int64(), pa.float64(), pa.string())


def frame_of(found: dict[str, pa.ChunkedArray], columns: Columns) -> pd.DataFrame:
    """Returns a table as pandas makes it of its rows, without the rows.

    Args:
        found: the table's columns; none are left, as the memory of each is given up when it was
            copied.
        columns: those of a table without rows.
    """
    if not found or not len(next(iter(found.values()))):
        return pd.DataFrame(columns=pd.Index(list(columns)))
    return pd.DataFrame({name: _series(found.pop(name)) for name in [*found]})


def _series(column: pa.ChunkedArray) -> pd.Series:
    if column.null_count == len(column) or column.type not in _AS_THEY_ARE:
        # What there is in such a column pandas tells by its values.
        return pd.DataFrame([{"x": value} for value in column.to_pylist()])["x"]
    return column.to_pandas(use_threads=False)
