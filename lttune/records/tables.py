"""The tables of a study in memory: the records and the layers of its trials."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Collection
from operator import itemgetter
from pathlib import Path
from typing import Any

from lttune.config.control import TRUNK
from lttune.errors import DamagedError
from lttune.records import schema
from lttune.records.columns import require_table
from lttune.records.ledger import ENDED, Ledger, Trial
from lttune.store.files import kept_aside

Row = dict[str, Any]

TABLES: dict[str, schema.Columns] = {
    "records.parquet": schema.MEASURES,
    "layers.parquet": schema.LAYERS,
}
"""Name of a table's file -> the columns that it is written with."""

_TOLD_BY = {
    "records": ("trial", "replicate", "branch", "level"),
    "layers": ("trial", "replicate", "level", "layer"),
}
"""Table -> the columns that tell its rows apart."""
_KEYS = {table: itemgetter(*names) for table, names in _TOLD_BY.items()}


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
        self._damaged: set[str] = set()
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
        for name, keep in (("records", self._keep_row), ("layers", self._keep_layer)):
            path = self._folder / f"{name}.parquet"
            try:
                rows = sound_rows(path, self._study_id)
            except DamagedError:
                self._damaged.add(path.name)
            else:
                for row in rows:
                    if row["trial"] in ended:
                        keep(row)
                    else:
                        before = self.reached.get(row["trial"], -1)
                        self.reached[row["trial"]] = max(before, row["level"])
        for number in ended:
            trial = ledger.trials[number]
            found = self.counts(trial)
            if (
                not all(found.values())
                or found != (trial.rows or found)
                or not self._has_tickets(trial)
            ):
                trial.rebuilt = trial.state == "complete" or trial.ends_after is not None
                trial.state = "waiting"

    def keep(self, trial: Trial, rows: list[Row], layers: list[Row]) -> None:
        """Keeps the rows of a level of a trial in place of those that it had."""
        whose = {"study": self._study, "phase": trial.phase, "trial": trial.number}
        for row in rows:
            self._keep_row({**whose, "role": trial.role, "inert": trial.inert, **row})
        for row in layers:
            self._keep_layer({**whose, **row})

    def of(self, trial: Trial) -> list[Row]:
        """Returns the records of a trial."""
        return list(self._rows.get(trial.number, {}).values())

    def trained_s(self, trial: Trial) -> float:
        """Returns the wall seconds that the networks of a trial took to train, whenever it was."""
        return sum(row["train_time_s"] or 0.0 for row in self.of(trial))

    def counts(self, trial: Trial) -> dict[str, int]:
        """Returns how many rows each table has of a trial."""
        tables = {"records": self._rows, "layers": self._layers}
        return {name: len(rows.get(trial.number, ())) for name, rows in tables.items()}

    @property
    def rows(self) -> list[Row]:
        """All records."""
        return self.rows_of("records.parquet")

    def rows_of(self, name: str) -> list[Row]:
        """Returns all rows of one of ``TABLES``."""
        found = self._layers if name == "layers.parquet" else self._rows
        return [row for mine in found.values() for row in mine.values()]

    def write(self, names: Collection[str] = TABLES, aside: Collection[str] = ()) -> list[str]:
        """Writes the files, each in one atomic replacement; damaged ones are kept beside them.

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
            is_kept = is_damaged or name in aside
            with kept_aside(path) if is_kept else contextlib.nullcontext() as kept:
                schema.write(path, self.rows_of(name), TABLES[name], self._study_id)
            if is_damaged:
                told.append(f"{name} was damaged: it is made anew, and kept as {kept}")
                self._damaged.remove(name)
        return told

    def renew(self) -> list[str]:
        """Writes both files if one is damaged; returns what ``write`` does."""
        return self.write() if self._damaged else []

    def _has_tickets(self, trial: Trial) -> bool:
        """Returns whether there are rows of a ticket of each replicate: objectives are of these."""
        trunks = {row["replicate"] for row in self.of(trial) if row["branch"] == TRUNK}
        return trunks >= {*trial.replicates}

    def _keep_row(self, row: Row) -> None:
        self._rows.setdefault(row["trial"], {})[_KEYS["records"](row)] = row

    def _keep_layer(self, row: Row) -> None:
        self._layers.setdefault(row["trial"], {})[_KEYS["layers"](row)] = row


def sound_rows(path: Path, study_id: str | None) -> list[Row]:
    """Returns the rows of one of the tables, if it is as it is written.

    Args:
        path: ``records.parquet`` or ``layers.parquet``; without the file there are none.
        study_id: as of ``schema.read``.

    Raises:
        DamagedError: if it is not what was written, by its bytes, columns, values or keys.
        StorageError: if it cannot be read, or is of another study.
        RefusedError: if a newer lttune wrote it.
    """
    rows = schema.read(path, study_id)
    require_table(path, rows, TABLES[path.name])
    keys = [_KEYS[path.stem](row) for row in rows]
    if len({*keys}) < len(keys):
        ((key, count),) = Counter(keys).most_common(1)
        told = zip(_TOLD_BY[path.stem], key, strict=True)
        row = ", ".join(f"{name} {value}" for name, value in told)
        raise DamagedError(f"{path} must have each of its rows once, got {count} of {row}")
    return rows
