"""The tables of a study in memory: the records and the layers of its trials."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lttune.errors import StorageError
from lttune.records import schema
from lttune.records.ledger import ENDED, Ledger, Trial

Row = dict[str, Any]


class Tables:
    """The rows of ``records.parquet`` and ``layers.parquet``.

    Args:
        folder: of the study.
        study: its name, in every row.
    """

    def __init__(self, folder: Path, study: str) -> None:
        self._folder, self._study = folder, study
        self._rows: dict[int, dict[tuple[int, str, int], Row]] = {}
        self._layers: dict[int, dict[tuple[int, int, str], Row]] = {}

    def read(self, ledger: Ledger) -> None:
        """Keeps the rows of trials that have ended; one without rows waits again.

        Its networks are in the store, so that it costs no training.

        Raises:
            StorageError: if a file cannot be read.
        """
        ended = {trial.number for trial in ledger.trials if trial.state in ENDED}
        for row in self._table("records"):
            if row["trial"] in ended:
                self._keep_row(row)
        for row in self._table("layers"):
            if row["trial"] in ended:
                self._keep_layer(row)
        for number in ended - (self._rows.keys() & self._layers.keys()):
            ledger.trials[number].state = "waiting"

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

    @property
    def rows(self) -> list[Row]:
        """All records."""
        return [row for mine in self._rows.values() for row in mine.values()]

    def write(self) -> None:
        """Writes both files, each in one atomic replacement."""
        layers = [row for mine in self._layers.values() for row in mine.values()]
        schema.write(self._folder / "layers.parquet", layers, schema.LAYERS)
        schema.write(self._folder / "records.parquet", self.rows)

    def _keep_row(self, row: Row) -> None:
        key = (row["replicate"], row["branch"], row["level"])
        self._rows.setdefault(row["trial"], {})[key] = row

    def _keep_layer(self, row: Row) -> None:
        key = (row["replicate"], row["level"], row["layer"])
        self._layers.setdefault(row["trial"], {})[key] = row

    def _table(self, name: str) -> list[Row]:
        path = self._folder / f"{name}.parquet"
        try:
            return schema.read(path)
        except (OSError, ValueError) as error:
            raise StorageError(
                f"{path} is damaged ({type(error).__name__}): move it away"
            ) from error
