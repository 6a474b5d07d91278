"""The folder of a study, read as it stands: a trial that failed or is running stays one."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lttune.config import flatten
from lttune.config.control import TRUNK
from lttune.config.lottery.length import joined_settings
from lttune.errors import StorageError, quoted
from lttune.records.columns import require_columns
from lttune.records.folder import (
    read_sheet,
    read_table,
    read_trials,
    require_bounded_trials,
    require_rows,
)
from lttune.records.ledger import Trial
from lttune.records.tables import TrialRows, trial_counts
from lttune.store.temporary import remove_abandoned, temporary_beside
from lttune.study.settings import STUDY_NAME

ABOUT = ("name", "question", "source", "command", "created", "dataset.name")
EXPORTED_OF_SHEET = (*ABOUT, "lottery", "space", "objective.name", "objective.text")
"""What an export reads of ``study.json``."""
RECORDED = ("trial", "replicate", "branch", "level")
"""What it reads of each row of ``records.parquet`` to tell networks apart."""


@dataclass(frozen=True, kw_only=True)
class Folder:
    """What a study wrote."""

    path: Path
    sheet: dict[str, Any]
    """``study.json``."""
    trials: list[Trial]
    """``trials.json``, in the order of their numbers."""
    records: pa.Table
    """``records.parquet``: a row for each trained network."""
    tickets: TrialRows
    """Trial -> the rows of its trunk, levels rising."""

    @classmethod
    def read(cls, path: Path) -> Folder:
        """Returns the study in a folder.

        Raises:
            StorageError: if there is no study, or a file of it cannot be read.
        """
        sheet = read_sheet(path, EXPORTED_OF_SHEET)
        study_id = sheet.get("study_id")
        trials = read_trials(path, study_id)
        require_bounded_trials(path, sheet, [trial.hparams for trial in trials])
        _require_name(path / "study.json", sheet["name"])
        records = path / "records.parquet"
        table = read_table(records, RECORDED, study_id)
        require_columns(records, table, RECORDED)
        counts = trial_counts(table)
        require_rows(records, map(vars, trials), counts)
        if unlisted := counts.keys() - {trial.number for trial in trials}:
            lost = table.filter(pa.array([one in unlisted for one in table["trial"].to_pylist()]))
            first = lost.sort_by("level")["trial"][0]
            raise StorageError(f"{path / 'trials.json'} lacks trial {first} of the records")
        tickets = TrialRows(_rising(table))
        return cls(path=path, sheet=sheet, trials=trials, records=table, tickets=tickets)

    @property
    def name(self) -> str:
        """The study's name."""
        return self.sheet["name"]

    @cached_property
    def base(self) -> dict[str, Any]:
        """The base configuration by dotted path; lists are text, as in the records."""
        return {path: scalar(value) for path, value in flatten(self.sheet["lottery"]).items()}

    def values(self, trial: Trial) -> dict[str, Any]:
        """Returns a trial's configuration by dotted path; lists are text, as in the records."""
        own = {path: scalar(value) for path, value in trial.hparams.items()}
        return joined_settings(self.base, own)

    def columns(self, paths: Iterable[str], trials: Sequence[Trial]) -> dict[str, list[Any]]:
        """Returns what each of some trials has of settings, as ``values`` does; None of none.

        No more than these settings is kept of a trial.
        """
        found: dict[str, list[Any]] = {path: [] for path in paths}
        for trial in trials:
            values = self.values(trial)
            for path, column in found.items():
                column.append(values.get(path))
        return found


def _rising(table: pa.Table) -> pa.Table:
    """Returns the trunk's rows, levels rising."""
    if not len(table):
        return table
    trunk = table.filter(pc.field("branch") == TRUNK)
    return trunk.sort_by([("trial", "ascending"), ("level", "ascending")])


def _require_name(path: Path, name: str) -> None:
    """Checks that a name, which files are called by, names nothing elsewhere.

    Raises:
        StorageError: if it is none that a study can have.
    """
    if not STUDY_NAME.fullmatch(name) or ".." in name:
        raise StorageError(f"{path}: name must be one that a study can have, got {quoted(name)}")


def scalar(value: Any) -> Any:
    """Returns a value as a cell of a table: a list is text, and so is what a stranger nested."""
    if isinstance(value, Mapping):
        return json.dumps(value)
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else value


def objective_values(trial: Trial) -> list[float]:
    """Returns the numbers of a trial's objective; ledgers of older studies know one."""
    if trial.values is not None:
        return trial.values
    return [] if trial.objective is None else [trial.objective]


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yields a folder to write into, which is whole or absent at ``path`` afterwards."""
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned(path.parent, path.name)
    draft = temporary_beside(path)
    draft.mkdir()
    try:
        yield draft
        draft.rename(path)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
