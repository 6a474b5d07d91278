"""The file of a study's learning curves, read some thousand rows at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lttune.errors import DamagedError
from lttune.records import schema
from lttune.records.columns import require_table

CURVES_FILE = "curves.parquet"
"""Its name in a study's folder; studies of older versions have none."""

CURVE_KEY = ("trial", "replicate", "branch", "level")
"""The columns that name a network of a study, and by which rows rise; then by ``step``."""
NetworkKey: TypeAlias = tuple[int, int, str, int]
"""The values of ``CURVE_KEY``."""
NetworkCurve: TypeAlias = tuple[NetworkKey, Any, pa.Table]
"""A network, the key of its cell, and rows of it that follow each other."""


def curve_parts(path: Path, study_id: str | None = schema.ANY_STUDY) -> Iterator[pa.Table]:
    """Yields the rows of a file of curves, a part at a time; none without the file.

    Args:
        path: the file.
        study_id: as of ``schema.read_in_parts``.

    Raises:
        DamagedError: if it is not what was written, by its bytes, columns, values or order.
        StorageError: if it cannot be read, or is of another study.
        RefusedError: if a newer lttune wrote it.
    """
    parts, _ = schema.read_in_parts(path, study_id)
    last: pa.Table | None = None
    for batch in parts:
        part = pa.Table.from_batches([batch])
        require_table(path, part, schema.CURVE_MEASURES)
        _require_rising(path, part if last is None else pa.concat_tables([last, part]))
        last = part.slice(len(part) - 1) if len(part) else last
        yield part


def curve_counts(
    path: Path, study_id: str | None = schema.ANY_STUDY
) -> Counter[tuple[NetworkKey, Any]]:
    """Returns a network and the key of its cell -> its evaluations; raises as ``curve_parts``."""
    found = Counter[tuple[NetworkKey, Any]]()
    for network, cell, rows in curves_in(path, study_id):
        found[network, cell] += len(rows)
    return found


def curves_in(path: Path, study_id: str | None) -> Iterator[NetworkCurve]:
    """Yields the curves of a file in its order; one that two parts share comes in two.

    Raises what ``curve_parts`` does.
    """
    for part in curve_parts(path, study_id):
        if not len(part):
            continue
        changes = _any_unequal(part, (*CURVE_KEY, "cell"))
        firsts = [0, *(1 + np.flatnonzero(changes)).tolist()]
        facts = part.select([*CURVE_KEY, "cell"]).take(pa.array(firsts))
        values = zip(*(column.to_pylist() for column in facts.columns), strict=True)
        ends = [*firsts[1:], len(part)]
        for first, end, (*network, cell) in zip(firsts, ends, values, strict=True):
            yield tuple(network), cell, part.slice(first, end - first)


def _any_unequal(part: pa.Table, names: tuple[str, ...]) -> np.ndarray:
    """Returns of each row but the first whether it differs from the one before it."""
    found = np.zeros(len(part) - 1, bool)
    for name in names:
        before, after = part[name].slice(0, len(part) - 1), part[name].slice(1)
        # Two cells that are missing count as one that changed: no network is without.
        found |= ~_compared("equal", before, after)
    return found


def _compared(function: str, before: pa.ChunkedArray, after: pa.ChunkedArray) -> np.ndarray:
    found = pc.call_function(function, [before, after])
    return pc.fill_null(found, False).to_numpy(zero_copy_only=False).astype(bool)


def _require_rising(path: Path, part: pa.Table) -> None:
    """Raises ``DamagedError`` unless each row comes after the one before it."""
    if len(part) < 2:
        return
    rises = np.zeros(len(part) - 1, bool)
    for name in reversed((*CURVE_KEY, "step")):
        before, after = part[name].slice(0, len(part) - 1), part[name].slice(1)
        rises = _compared("less", before, after) | (_compared("equal", before, after) & rises)
    if not rises.all():
        row = part.slice(int(np.argmin(rises)) + 1, 1).select([*CURVE_KEY, "step"]).to_pylist()[0]
        told = ", ".join(f"{name} {value}" for name, value in row.items())
        raise DamagedError(f"{path} must have its rows in order, each once: {told} is not")
