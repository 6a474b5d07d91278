"""The evaluations of networks as the records of their cells have them, as rows of curves."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from lttune.config.fields import is_int, is_number
from lttune.config.rules import MOST_STEPS
from lttune.records import schema
from lttune.records.columns import LARGEST_LOSS
from lttune.records.tables.curves.evaluated import CURVE_KEY, NetworkCurve, NetworkKey

RecordOf: TypeAlias = Callable[[str], Mapping[str, Any] | None]
"""Key of a cell -> its record, None where there is no sound one."""
OF_NETWORK = ("study", "phase", *CURVE_KEY, "density", "cell")
"""Columns that all evaluations of a network have from its row of the records; the last its cell."""
CurveOwner: TypeAlias = tuple[NetworkKey, tuple[Any, ...]]
"""A network, and the values of ``OF_NETWORK``."""

_OF_EVALUATION = tuple(name for name in schema.CURVE_MEASURES if name not in OF_NETWORK)
_AT_ONCE = 16
"""Records that are asked for at once: behind a URL, and on a network disk, each is waited for."""
_TOGETHER = 64
"""Networks that are made rows of together."""


def evaluated_networks(owners: Sequence[CurveOwner], record_of: RecordOf) -> Iterator[NetworkCurve]:
    """Yields the curves of networks, in their order; none of those without a sound history.

    Args:
        owners: the networks.
        record_of: gives the records of their cells; threads ask it.

    Raises:
        StorageError: as ``record_of`` does.
    """
    if not owners:
        return

    def history(owner: CurveOwner) -> list[tuple[Any, ...]]:
        return _evaluations(record_of(owner[1][-1]))

    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="curves") as pool:
        for first in range(0, len(owners), _TOGETHER):
            some = owners[first : first + _TOGETHER]
            found = [pair for pair in zip(some, pool.map(history, some), strict=True) if pair[1]]
            yield from _curves([owner for owner, _ in found], [rows for _, rows in found])


def _curves(
    owners: Sequence[CurveOwner], histories: Sequence[Sequence[tuple[Any, ...]]]
) -> Iterator[NetworkCurve]:
    lengths = [*map(len, histories)]
    whose = pa.array(np.repeat(np.arange(len(owners)), lengths))
    shared = zip(OF_NETWORK, zip(*(facts for _, facts in owners), strict=True), strict=False)
    columns = {n: pa.array(values, schema.CURVE_MEASURES[n][0]).take(whose) for n, values in shared}
    each = zip(*(row for rows in histories for row in rows), strict=True)
    for name, values in zip(_OF_EVALUATION, each, strict=False):
        columns[name] = pa.array(values, schema.CURVE_MEASURES[name][0])
    table, first = pa.table(columns), 0
    for (network, facts), length in zip(owners, lengths, strict=True):
        yield network, facts[-1], table.slice(first, length)
        first += length


def _evaluations(record: Mapping[str, Any] | None) -> list[tuple[Any, ...]]:
    """Returns the values of ``_OF_EVALUATION`` at each evaluation; none of what is no history.

    A store may be a stranger's, whose digests are sound and whose values are none.
    """
    entries = record.get("history") if isinstance(record, Mapping) else None
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        return []
    rows = [tuple(entry.get(name) for name in _OF_EVALUATION) for entry in entries]
    steps = [-1, *(row[0] if is_int(row[0]) else -1 for row in rows)]
    rises = all(before < step <= MOST_STEPS for before, step in itertools.pairwise(steps))
    return rows if rises and all(map(_is_evaluation, rows)) else []


def _is_evaluation(row: tuple[Any, ...]) -> bool:
    _, val_loss, val_accuracy, test_loss, test_accuracy = row
    losses = (one for one in (val_loss, test_loss) if one is not None)
    shares = (val_accuracy, *(one for one in (test_accuracy,) if one is not None))
    return all(is_number(one) and math.fabs(one) <= LARGEST_LOSS for one in losses) and all(
        is_number(one) and 0 <= one <= 1 for one in shares
    )
