"""The tables of a study in memory: the records and the layers of its trials."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from lttune.errors import DamagedError
from lttune.records import schema
from lttune.records.ledger import ENDED, Ledger, Trial
from lttune.records.tables.ended import EndedRows
from lttune.records.tables.files import KEYS, TABLES, Row, journaled
from lttune.records.tables.joining import grouped, kinds_of, types_of
from lttune.records.tables.loading import Loaded, load
from lttune.store.files import kept_aside
from lttune.store.formats.journal import Journal, journal_of, remove_journal

MOST_NOTED_ROWS = 5_000
"""Rows of a journal that are no more than a small part of what a study waits for; a longer one has
as many rows as its file at most, so that all writing of the file takes what its last does."""

_AT_ONCE = 100
"""Trials whose rows are in memory as Python's values while a table is made of all."""


class Tables:
    """The rows of ``records.parquet`` and ``layers.parquet``.

    Args:
        folder: of the study.
        study: its name, in every row.
        study_id: what its ``study.json`` is known by; None in studies of older versions.
    """

    def __init__(self, folder: Path, study: str, study_id: str | None = None) -> None:
        self._folder, self._study, self._study_id = folder, study, study_id
        self._rows: dict[int, dict[tuple[Any, ...], Row]] = {}
        self._layers: dict[int, dict[tuple[Any, ...], Row]] = {}
        self._ended = EndedRows(folder)
        self._damaged: set[str] = set()
        self._journals: dict[str, Journal] = {}
        self._whole: dict[str, int] = {}
        self._noted: dict[str, int] = {}
        """Name of a table -> rows that its file has, and that its journal has since."""
        self.reached: dict[int, int] = {}
        """Number of a trial that has not ended -> the last level that the file had of it."""

    def read(self, ledger: Ledger) -> None:
        """Keeps the rows of trials that have ended; one that lacks some waits to be rebuilt.

        Its networks are in the store, so that it costs no training. Of one that was stopped by a
        version that did not note how many rows it had, nobody knows how far it went: it just waits.
        That holds for a damaged file too, which stays until another takes its place: also one of
        other columns or values than are written, because all that is kept of it is written again.

        Raises:
            StorageError: if a file cannot be read, or is of another study.
            RefusedError: if a newer lttune wrote one.
        """
        ended = {trial.number for trial in ledger.trials if trial.state in ENDED}
        loaded = [self._loaded(self._folder / name) for name in TABLES]
        for found in loaded:
            for number in found.counts.keys() - ended:
                before = self.reached.get(number, -1)
                self.reached[number] = max(before, found.reached[number])
                self._ended.drop(number)
        records, layers = loaded
        for number in sorted(ended):
            trial = ledger.trials[number]
            counts = {"records": records.counts[number], "layers": layers.counts[number]}
            # Objectives are of the tickets of each replicate.
            if (
                not all(counts.values())
                or counts != (trial.rows or counts)
                or not {(number, replicate) for replicate in trial.replicates} <= records.trunks
            ):
                trial.rebuilt = trial.state == "complete" or trial.ends_after is not None
                trial.state = "waiting"

    def keep(self, trial: Trial, rows: list[Row], layers: list[Row]) -> dict[str, list[Row]]:
        """Keeps the rows of a level of a trial in place of those that it had.

        Returns:
            Name of a table -> its rows.
        """
        whose = {"study": self._study, "phase": trial.phase, "trial": trial.number}
        more = {"role": trial.role, "inert": trial.inert}
        found = {
            "records.parquet": [{**whose, **more, **row} for row in rows],
            "layers.parquet": [{**whose, **row} for row in layers],
        }
        earlier = [self._ended.rows(trial.number, place) or [] for place in range(len(TABLES))]
        for row in (*earlier[0], *found["records.parquet"]):
            self._keep_row(row)
        for row in (*earlier[1], *found["layers.parquet"]):
            self._keep_layer(row)
        self._ended.drop(trial.number)
        return found

    def note(self, trial: Trial, rows: list[Row], layers: list[Row]) -> None:
        """Keeps the rows of a level as ``keep`` does, and appends them to the files' journals.

        There they outlive the process; to outlive the machine they wait for ``flush``.

        Raises:
            StorageError: if they cannot be written.
        """
        kept = self.keep(trial, rows, layers)
        for name in reversed(TABLES):
            journal = self._journals.get(name)
            if journal is None or not journal.is_whole:
                self._begin(name)
            elif kept[name]:
                journal.append([journaled(kept[name])], is_flushed=False)
                self._noted[name] += len(kept[name])

    def flush(self) -> None:
        """Has all that was noted on the disk; what outgrew a table's file becomes part of it.

        Raises:
            StorageError: if it cannot be written.
        """
        for name, journal in list(self._journals.items()):
            if not journal.is_whole or self._noted[name] > max(MOST_NOTED_ROWS, self._whole[name]):
                self._begin(name)
            else:
                journal.append([])

    @property
    def damaged(self) -> list[str]:
        """Those of ``TABLES`` that are damaged, or whose journals are."""
        return sorted(self._damaged)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known of any network."""
        return not (self._ended or self._rows or self.reached)

    def pack(self, trial: Trial) -> None:
        """Keeps the rows of a trial, which is to have no more, packed and not in memory.

        Raises:
            StorageError: if they cannot be written.
        """
        number = trial.number
        records, layers = (self._taken(number, place) for place in range(len(TABLES)))
        if number not in self._ended and (records or layers):
            self._ended.put(number, {0: records, 1: layers})
        self._rows.pop(number, None)
        self._layers.pop(number, None)

    def of(self, trial: Trial) -> list[Row]:
        """Returns the records of a trial.

        Raises:
            StorageError: if they cannot be read.
        """
        return self._taken(trial.number, 0)

    def trained_s(self, trial: Trial) -> float:
        """Returns the wall seconds that the networks of a trial took to train, whenever it was."""
        return sum(row["train_time_s"] or 0.0 for row in self.of(trial))

    def counts(self, trial: Trial) -> dict[str, int]:
        """Returns how many rows each table has of a trial."""
        records, layers = (self._taken(trial.number, place) for place in range(len(TABLES)))
        return {"records": len(records), "layers": len(layers)}

    def groups(self, name: str) -> Iterator[pa.Table]:
        """Yields all rows of one of ``TABLES``, as ``schema.table_of`` makes them, in parts."""
        place, columns = [*TABLES].index(name), TABLES[name]
        open_kinds = {kinds_of(journaled(self._taken(n, place)), columns) for n in self._open}
        others = types_of({*self._ended.kinds(place), *open_kinds})
        numbers = sorted({*self._ended, *self._open})
        some = (numbers[first : first + _AT_ONCE] for first in range(0, len(numbers), _AT_ONCE))
        parts = ([self._values(number, place) for number in mine] for mine in some)
        return grouped(parts, columns, others)

    def write(self, names: Collection[str] = TABLES, aside: Collection[str] = ()) -> list[str]:
        """Writes the files whole, each in one atomic replacement, and removes their journals.

        Damaged ones are kept beside them.

        Args:
            names: those of ``TABLES`` that are written.
            aside: those that are kept as damaged ones are.

        Returns:
            A line for each damaged file: where it is kept.
        """
        told: list[str] = []
        for name in reversed(TABLES):
            if name not in names:
                continue
            path = self._folder / name
            is_damaged = name in self._damaged
            found = (path, journal_of(path)) if is_damaged or name in aside else ()
            kept: list[Path] = []
            with contextlib.ExitStack() as stack:
                kept += [stack.enter_context(kept_aside(one)) for one in found if one.exists()]
                schema.write_table(path, self.groups(name), self._study_id)
                remove_journal(path)
            self._journals.pop(name, None)
            if is_damaged:
                what, where = f"{name} was", " and ".join(map(str, kept))
                if len(kept) > 1:
                    what = f"{name}, or {journal_of(path).name} beside it, was"
                told.append(f"{what} damaged: it is made anew, and kept as {where}")
                self._damaged.remove(name)
        return told

    def _loaded(self, path: Path) -> Loaded:
        """Packs the rows of a table, of a file whose journal is damaged its own, else none."""
        for has_journal in (True, False):
            with contextlib.suppress(DamagedError):
                return load(path, self._study_id, self._ended, has_journal)
            self._damaged.add(path.name)
        return Loaded()

    def _begin(self, name: str) -> None:
        """Writes a table's file whole, with an empty journal beside it."""
        written = list[int]()
        groups = (written.append(len(group)) or group for group in self.groups(name))
        self._journals.pop(name, None)
        digest = schema.write_table(self._folder / name, groups, self._study_id)
        self._journals[name] = Journal(self._folder / name, digest, has_infinities=True)
        self._whole[name], self._noted[name] = sum(written), 0
        pa.default_memory_pool().release_unused()  # Until the table is twice as long.

    def renew(self) -> list[str]:
        """Writes both files if one is damaged; returns what ``write`` does."""
        return self.write() if self._damaged else []

    @property
    def _open(self) -> set[int]:
        """Numbers of the trials whose rows are in memory."""
        return {*self._rows, *self._layers}

    def _values(self, number: int, place: int) -> dict[str, list[Any]]:
        ended = self._ended.values(number, place)
        return journaled(self._taken(number, place)) if ended is None else ended

    def _taken(self, number: int, place: int) -> list[Row]:
        """Returns the rows that a trial has of one of ``TABLES``, by its place there."""
        # In this order: MLflow's thread asks while a trial ends.
        rows = (self._rows, self._layers)[place].get(number, {})
        ended = self._ended.rows(number, place)
        return [*rows.values()] if ended is None else ended

    def _keep_row(self, row: Row) -> None:
        self._rows.setdefault(row["trial"], {})[KEYS["records"](row)] = row

    def _keep_layer(self, row: Row) -> None:
        self._layers.setdefault(row["trial"], {})[KEYS["layers"](row)] = row
