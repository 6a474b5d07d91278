"""A study as an Optuna database (SQLite): what optuna-dashboard and Optuna's own analyses read."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import warnings
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import fmean
from typing import Any

import optuna
from optuna.exceptions import OptunaError
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from lttune.config.own import without_place
from lttune.errors import REFUSING, StorageError, causes
from lttune.exchange.studies.folder import Folder, objective_values
from lttune.exchange.studies.trial_sets import TrialSet, trial_sets
from lttune.records.columns import require_columns
from lttune.records.ledger import Trial
from lttune.store.files import not_written, reason_of, require_absent, write_atomically
from lttune.study.tracking.database import sqlite_code
from lttune.study.tracking.uri import sqlite_uri

optuna.logging.set_verbosity(optuna.logging.WARNING)

_OF_VALUES = (ArithmeticError, LookupError, OptunaError, TypeError, ValueError)
"""What Optuna raises of a study that it cannot have."""

_OF_DISK = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_IOERR: errno.EIO,
    sqlite3.SQLITE_READONLY: errno.EROFS,
    sqlite3.SQLITE_CANTOPEN: errno.EIO,
}
"""SQLite's codes for what the disk refuses -> the system's number."""

STATES = {
    "complete": TrialState.COMPLETE,
    "stopped": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}
"""State in the ledger -> Optuna's."""

SHOWN_BY_LEVEL = ("density", "val_accuracy", "test_accuracy")
"""Measures of the records that are user attributes: a list, one mean over replicates a level."""


def write_optuna(folder: Folder, path: Path) -> list[str]:
    """Writes a new database and returns a line for each Optuna study in it.

    Raises:
        ConfigError: if no trial that has ended is a point of the study's space.
        StorageError: if the file is there already, or the study is none that Optuna can have.
    """
    require_absent(path)
    require_columns(folder.path / "records.parquet", folder.records, SHOWN_BY_LEVEL)
    found = trial_sets(folder, "--optuna")
    with write_atomically(path) as draft:
        try:
            with contextlib.closing(_Database(draft)) as database:
                for chosen in found:
                    _write(folder, chosen, database.storage)
        except Exception as error:  # The errors of Optuna's database are a package's of its own.
            if refused := _refused(error):
                raise not_written(path, refused) from error
            if sqlite_code(error) is None and not isinstance(error, _OF_VALUES):
                raise
            text = f"{folder.path} is no study that Optuna can have: {reason_of(error)}"
            raise StorageError(text) from error
        finally:
            draft.with_name(f"{draft.name}-journal").unlink(missing_ok=True)
    return [f"{chosen.name}: {len(chosen.points)} trials" for chosen in found]


class _Database:
    """A new SQLite file in Optuna's form, whose last connection is gone once it is closed."""

    def __init__(self, path: Path) -> None:
        self.storage = RDBStorage(sqlite_uri(path))

    def close(self) -> None:
        self.storage.remove_session()
        self.storage.engine.dispose()


def _refused(error: BaseException) -> OSError | None:
    """Returns what SQLite says of the disk, which passes on no number of the system's."""
    number = _OF_DISK.get(sqlite_code(error) or 0)
    if number == errno.EIO and _has_limit():
        number = errno.EFBIG
    if number is None:
        return None
    said = next(one for one in causes(error) if isinstance(one, sqlite3.Error))
    return OSError(number, os.strerror(number) if number in REFUSING else str(said))


def _has_limit() -> bool:
    """Returns whether the size of files is limited here."""
    with contextlib.suppress(ImportError):  # Windows has no such limit.
        import resource

        return resource.getrlimit(resource.RLIMIT_FSIZE)[0] != resource.RLIM_INFINITY
    return False


def _write(folder: Folder, chosen: TrialSet, storage: RDBStorage) -> None:
    asked = folder.sheet["objective"]
    # Sheets of older studies have one direction, or none.
    directions = asked.get("directions") or [asked.get("direction", "maximize")]
    study = optuna.create_study(study_name=chosen.name, storage=storage, directions=directions)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
        alone = [without_place(asked["name"])]
        study.set_metric_names(alone if len(directions) == 1 else asked["texts"])
    for name in ("question", "source", "command"):
        study.set_user_attr(name, folder.sheet[name])
    study.set_user_attr("objective", asked["text"])
    study.set_user_attr("dataset", folder.sheet["dataset"]["name"])
    for trial, params in chosen.points:
        study.add_trial(_frozen(folder, chosen, trial, params, len(directions) > 1))


def _frozen(
    folder: Folder, chosen: TrialSet, trial: Trial, params: dict[str, Any], several: bool
) -> FrozenTrial:
    """Returns a trial as Optuna has it, which knows no curves if there are several objectives."""
    curves = level_means(folder, trial)
    about = {name: list(curves[name].values()) for name in SHOWN_BY_LEVEL if curves[name]}
    facts = {name: getattr(trial, name) for name in ("phase", "role", "label", "seconds", "error")}
    facts = {name: value for name, value in facts.items() if value is not None}
    state = STATES[trial.state]
    frozen = create_trial(
        state=state,
        values=objective_values(trial) if state == TrialState.COMPLETE else None,
        params=params,
        distributions=chosen.space,
        intermediate_values={} if several else curves["val_accuracy"],
        user_attrs={"trial": trial.number, "replicates": trial.replicates, **facts, **about},
    )
    # The ledger keeps how long a trial took, not when: all start with the study, in UTC.
    start = datetime.fromisoformat(folder.sheet["created"]).astimezone(UTC).replace(tzinfo=None)
    frozen.datetime_start = start
    frozen.datetime_complete = start + timedelta(seconds=trial.seconds or 0.0)
    return frozen


def level_means(folder: Folder, trial: Trial) -> dict[str, dict[int, float]]:
    """Returns measure -> level -> mean over the replicates of a trial's trunk, levels rising."""
    at: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in folder.tickets[trial.number]:
        at[row["level"]].append(row)
    return {
        name: {level: fmean(row[name] for row in rows) for level, rows in at.items()}
        for name in SHOWN_BY_LEVEL
    }
