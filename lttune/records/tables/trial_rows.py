"""The rows of a table by trial: Python's values are made of those alone that are asked for."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from lttune.records.tables.files import Row


class TrialRows:
    """The rows that each trial has of a table, in its order.

    Args:
        table: as ``table_in`` returns it.
    """

    def __init__(self, table: pa.Table) -> None:
        trials = table["trial"].to_numpy() if len(table) else np.empty(0, np.int64)
        order = np.argsort(trials, kind="stable")
        is_sorted = bool((order == np.arange(len(order))).all())
        self._table = table if is_sorted else table.take(pa.array(order))
        numbers, firsts, counts = np.unique(trials[order], return_index=True, return_counts=True)
        found = (one.tolist() for one in (numbers, firsts, counts))
        self._places = {number: place for number, *place in zip(*found, strict=True)}

    def __getitem__(self, number: int) -> list[Row]:
        """Returns the rows of a trial, none of one that has none."""
        first, count = self._places.get(number, (0, 0))
        return self._table.slice(first, count).to_pylist()
