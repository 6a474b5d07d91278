"""The tables of a study made anew from its trials and the networks in its store."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lttune.config import LotteryConfig, from_dict
from lttune.data import load
from lttune.data.made import use_kept
from lttune.errors import DamagedError, DataError, StorageError
from lttune.exchange.archive import Archive
from lttune.exchange.stored import require_there, store_of
from lttune.models.own import use_described
from lttune.records.folder import computed_from, read_sheet, read_trials
from lttune.records.ledger import ENDED, Ledger, Trial
from lttune.records.objectives import ObjectiveConfig
from lttune.records.tables import TABLES, Tables, sound_table, trial_counts
from lttune.store.formats.journal import journal_of
from lttune.store.locks import only_driver
from lttune.store.remote.places import store_at
from lttune.store.store import Store
from lttune.study.phases.planned import phase_config, require_trials
from lttune.trajectory.lab import Lab
from lttune.trajectory.trial import run_trial, until_stopped

_LOG = logging.getLogger(__name__)

NEEDED = ("name", "lottery", "numerics", "config.objective", "config.seed", "dataset.digest")
"""Fields of ``study.json`` that say how its rows come about."""


def repair(folder: Path, store: str | None = None) -> tuple[int, list[str]]:
    """Makes both tables anew where trials that have ended lack rows; nothing is trained.

    Rows of trials that the study does not list are left out. A table that is damaged or has such
    rows is kept as ``NAME.damaged``, where something takes its place. A trial whose networks are
    not all in the store stays without rows, until the study is run again. Nothing is written
    before all trials were looked at: whatever ends it earlier leaves the folder as it was.

    Args:
        folder: the study's.
        store: as of ``store_of``.

    Returns:
        The number of trials whose rows were made, and a line for each whose could not be.

    Raises:
        ConfigError: if its store must be given.
        LockedError: if the study is being run.
        StorageError: if the folder holds no study, its trials cannot be read, or its store is not
            there.
        DataError: if a dataset here is not the study's.
    """
    sheet = read_sheet(folder, NEEDED)
    use_described(sheet, str(folder / "study.json"))
    use_kept(sheet, folder)
    cells = store_at(store_of(folder, sheet, store), writes=False)
    require_there(sheet, store)
    with only_driver(folder):
        study_id = sheet.get("study_id")
        # Of one without its list, all rows would count as those of others.
        read_trials(folder, study_id)
        ledger = Ledger.open(folder / "trials.json", study_id)
        with computed_from(folder / "study.json"):
            base = from_dict(sheet["lottery"])
            objective = ObjectiveConfig(**(sheet["config"]["objective"] or {}))
        require_trials(ledger.path, ledger.trials, base, objective)
        ended = [trial for trial in ledger.trials if trial.state in ENDED]
        tables = Tables(folder, sheet["name"], study_id)
        others = [name for name in TABLES if _has_others(folder / name, ledger, study_id)]
        tables.read(ledger)
        lacking = [trial for trial in ended if trial.state == "waiting"]
        made, left = 0, []
        for place, trial in enumerate(lacking, 1):
            _LOG.info("making the rows of trial %d (%d of %d)", trial.number, place, len(lacking))
            try:
                with computed_from(folder / "study.json"):
                    lottery = phase_config(trial.phase, base, objective).override(trial.hparams)
                    _walk(trial, lottery, sheet, tables, cells)
            except StorageError as error:
                left.append(f"trial {trial.name}: {error}")
            else:
                made += 1
        if made:
            tables.write(aside=others)
        else:
            # Of what nothing takes the place of, what can be read is all there is; of a damaged
            # journal, its file, which has all that ended.
            names = [name for name in others if any(map(len, tables.groups(name)))]
            journaled = {name for name in tables.damaged if journal_of(folder / name).exists()}
            names += [] if lacking else sorted(journaled.difference(names))
            tables.write(names, aside=others)
    return made, left


def _has_others(path: Path, ledger: Ledger, study_id: str | None) -> bool:
    """Returns whether a table has rows of trials that the study does not list."""
    try:
        table = sound_table(path, study_id, ("trial",))
    except DamagedError:
        return False
    return not trial_counts(table).keys() <= {trial.number for trial in ledger.trials}


def _walk(
    trial: Trial, lottery: LotteryConfig, sheet: Mapping[str, Any], tables: Tables, store: Store
) -> None:
    """Keeps the rows of a trial, all levels that it had or none."""
    config = sheet["config"]
    datasets = {name: load(name, fetches=False) for name in lottery.dataset_names}
    known = sheet["dataset"]
    if known["name"] in datasets and datasets[known["name"]].digest() != known["digest"]:
        raise DataError(f"{known['name']} here is not the dataset of the study {sheet['name']}")
    lab = Lab(datasets, Archive(sheet["numerics"]), store, config["seed"])
    densities = config.get("control_densities", ())
    found = run_trial(lottery, trial.replicates, trial.controls, lab, densities)
    for report, _ in [*until_stopped(found, trial.ends_after)]:
        tables.keep(trial, report["rows"], report["layers"])
