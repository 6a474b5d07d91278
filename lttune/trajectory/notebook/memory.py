"""A store of cells in this process's memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lttune.store.cells import Cell
from lttune.store.store import Store, Stored


class MemoryStore(Store):
    """Cells that live as long as the store: nothing is read, written or locked."""

    def __init__(self) -> None:
        super().__init__(Path("memory"), writes=False)
        self._cells: dict[str, Cell] = {}

    def read(self, key: str) -> Cell | None:
        """Returns a cell, or None where there is none."""
        return self._cells.get(key)

    def obtain(
        self,
        inputs: Sequence[Mapping[str, Any]],
        compute: Callable[[list[int]], Sequence[Cell]],
    ) -> list[Stored]:
        """Returns the cells of several inputs; those that are missing are computed together."""
        found = super().obtain(inputs, compute)
        self._cells |= {one.key: one.cell for one in found}
        return found
