"""Learning curves gathered of the networks that a study's records name.

A network is evaluated hundreds of times, so that its curve goes neither through the messages of a
trial nor into a journal: it stays in the network's cell, and is read there at a study's end. Curves
that are in the file stay, also where the store has lost their networks since.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

import pyarrow as pa

from lttune.errors import DamagedError
from lttune.records import schema
from lttune.records.tables.curves.evaluated import (
    CURVE_KEY,
    CURVES_FILE,
    NetworkCurve,
    curve_counts,
    curves_in,
)
from lttune.records.tables.curves.histories import (
    OF_NETWORK,
    CurveOwner,
    RecordOf,
    evaluated_networks,
)
from lttune.records.tables.joining import MOST_GROUPED
from lttune.records.tables.reading import sound_table
from lttune.store.files import kept_aside


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """What came of gathering."""

    networks: int
    """That the records name."""
    added: int
    """Those whose curves were added to the file."""
    lacking: int
    """Those of which neither the file nor the store has one."""
    aside: Path | None
    """Where a damaged file is kept that was made anew."""


def gather_curves(folder: Path, study_id: str | None, record_of: RecordOf) -> Gathered:
    """Adds to a study's file of curves what it lacks, in one atomic replacement.

    Where there is nothing to add the file stays as it is. What is in memory does not grow with the
    number of evaluations. Nobody else may write the study meanwhile.

    Args:
        folder: the study's.
        study_id: that of its ``study.json``; None in studies of older versions.
        record_of: gives the records of cells; threads ask it.

    Raises:
        StorageError: if the records, the file or the store cannot be read, or it cannot be written.
        RefusedError: if a newer lttune wrote one.
    """
    path, is_damaged = folder / CURVES_FILE, False
    networks = _networks(sound_table(folder / "records.parquet", study_id, OF_NETWORK))
    cells = {network: facts[-1] for network, facts in networks}
    try:
        there = curve_counts(path, study_id).keys()
    except DamagedError:
        there, is_damaged = set(), True
    lacked = [(network, facts) for network, facts in networks if (network, facts[-1]) not in there]
    # Of a network that was trained otherwise since it is another one's; of one that the records
    # lack, which wait to be made anew, nobody else may have it.
    is_outdated = any(cells.get(network, cell) != cell for network, cell in there)
    found, aside, count = evaluated_networks(lacked, record_of), None, 0
    if (first := next(found, None)) is not None or is_outdated:
        new = _Counted(found if first is None else itertools.chain([first], found))
        old = () if is_damaged else curves_in(path, study_id)
        kept = (curve for curve in old if cells.get(curve[0], curve[1]) == curve[1])
        merged = heapq.merge(kept, new, key=itemgetter(0))
        with kept_aside(path) if is_damaged else contextlib.nullcontext() as aside:
            groups = _groups(rows for _, _, rows in merged)
            schema.write_table(path, groups, study_id, plain=("val_loss",))
        count = new.count
    lacking = len(lacked) - count
    return Gathered(networks=len(networks), added=count, lacking=lacking, aside=aside)


class _Counted:
    """Curves on their way, counted."""

    def __init__(self, curves: Iterator[NetworkCurve]) -> None:
        self._curves, self.count = curves, 0

    def __iter__(self) -> Iterator[NetworkCurve]:
        for curve in self._curves:
            self.count += 1
            yield curve


def _networks(records: pa.Table) -> list[CurveOwner]:
    """Returns the networks of the records that have cells, in the order of the curves."""
    if not len(records):
        return []
    rows = zip(*(records[name].to_pylist() for name in OF_NETWORK), strict=True)
    network_in = itemgetter(*map(OF_NETWORK.index, CURVE_KEY))
    return sorted((network_in(row), row) for row in rows if row[-1] is not None)


def _groups(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Yields the rows of tables, ``MOST_GROUPED`` at a time, however they were cut before."""
    columns = pa.schema(schema.fields_of(schema.CURVE_MEASURES, {}))
    waiting, count, is_first = [columns.empty_table()], 0, True
    for table in tables:
        waiting.append(table.select(columns.names).cast(columns))
        count += len(table)
        while count >= MOST_GROUPED:
            whole, is_first = pa.concat_tables(waiting), False
            yield whole.slice(0, MOST_GROUPED).combine_chunks()
            waiting, count = [whole.slice(MOST_GROUPED)], count - MOST_GROUPED
    if is_first or count:
        yield pa.concat_tables(waiting).combine_chunks()
