"""Send to MLflow what it lacks of a study, at any later time; what is there is not sent again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from lttune.config.output.escaped import say
from lttune.errors import ConfigError, DataError, ResourceError

_SYNC_S = 300.0
"""Seconds without any movement after which a store is given up."""


@dataclass(frozen=True, kw_only=True)
class Flags:
    """Which study, and where MLflow is."""

    study: Annotated[Path, tyro.conf.Positional]
    """Folder of the study: results/NAME."""
    tracking_uri: str | None = None
    """MLflow's tracking URI, as the study has it. None is MLFLOW_TRACKING_URI, else
    sqlite:///mlflow.db."""


def main(flags: Flags) -> int:
    """Sends what is missing, says where to, and returns the exit code."""
    from lttune.config import from_dict
    from lttune.records.folder import (
        computed_from,
        read_listing,
        read_sheet,
        read_trials,
        require_rows,
    )
    from lttune.records.ledger import Ledger
    from lttune.records.objectives import ObjectiveConfig
    from lttune.records.tables import TrialRows, sound_table, trial_counts, whole_tables
    from lttune.store.locks import no_driver
    from lttune.study.mirrored import MIRRORED, TrackedStudy
    from lttune.study.phases.planned import require_trials
    from lttune.study.tracking.tracker import Tracker
    from lttune.study.tracking.uri import resolve, sqlite_path

    folder = flags.study
    sheet = read_sheet(folder, MIRRORED)
    _require_uri(flags, sheet)
    study_id = sheet.get("study_id")
    # The tables first: what cannot be read of them is told before anything is sent.
    with no_driver(folder), whole_tables(folder, study_id) as tables:
        trials = read_trials(folder, study_id)
        records = folder / "records.parquet"
        table = sound_table(records, study_id)
        require_rows(records, map(vars, trials), trial_counts(table))
        rows = TrialRows(table)
        planned = read_listing(folder, (), study_id).get("planned", {})
        with computed_from(folder / "study.json"):
            base = from_dict(sheet["lottery"])
            objective = ObjectiveConfig(**sheet["config"]["objective"])
        require_trials(folder / "trials.json", trials, base, objective)
        database = sqlite_path(resolve(flags.tracking_uri))
        # A shard's in its folder, whose place lttune chose: whoever names it chose no other.
        is_beside = database is not None and database.parent == folder.absolute()
        is_own = is_beside and sheet["config"].get("shard") is not None
        tracker = Tracker(flags.tracking_uri, sheet["name"], study_id, is_own)
        if reason := tracker.ask():
            raise ResourceError(f"MLflow cannot be used at {tracker.address}: {reason}")
        with computed_from(folder / "study.json"):
            sheet = _complete(sheet, folder)
            study = TrackedStudy(folder, sheet, trials, lambda t: rows[t.number], tracker)
            study.open(is_running=False)
        ledger = Ledger(path=folder / "trials.json", planned=planned, trials=trials)
        has_failed = any(trial.state == "failed" for trial in trials)
        status = "FINISHED" if ledger.complete else "FAILED" if has_failed else "KILLED"
        study.finish(status, tables)
        missing = tracker.close(_SYNC_S)
    if missing:
        raise ResourceError(missing.removesuffix("."))
    say(f"{tracker.address}: all {len(trials)} trials of the study {sheet['name']}")
    return 0


def _require_uri(flags: Flags, sheet: dict[str, Any]) -> None:
    """Raises ``ConfigError`` if the study was given a place and the command is not.

    The sheet may be a stranger's: it is no authority for where anything is sent to.
    """
    uri = sheet["config"].get("tracking_uri")
    if uri is not None and flags.tracking_uri is None:
        raise ConfigError(f"--tracking-uri must be given: the study was run with {uri!r}")


def _complete(sheet: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Returns a sheet with the form of the dataset, which older versions did not note.

    Raises:
        DataError: if it must be read of the dataset, and the one here is another.
    """
    from lttune.config import from_dict
    from lttune.data import load
    from lttune.study.manifest import form

    data, noted = from_dict(sheet["lottery"]).data, sheet["dataset"]
    if noted.keys() >= {"shape", "classes"}:
        return sheet
    dataset = load(data.name, fetches=False)
    if dataset.digest() != noted["digest"]:
        raise DataError(f"{dataset.name} here is not the dataset of the study {folder}")
    return {**sheet, "dataset": {**noted, **form(dataset, data)}}
