"""One of the shards that several machines train a study in (``--shard 3/16``).

A shard is a study of its own, with a folder, tables, a report and, unless a server is named, a
database of MLflow's. Of the trials that need to know of no other's end, counted through all phases,
it has every sixteenth. Its networks go into the store that all studies share: the study itself, run
after its shards, reads what they trained and trains what is left.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from lttune.config.passwords import masked_uri
from lttune.config.phase import Phase, phase_names, phase_of
from lttune.config.rules import every_rule
from lttune.errors import LttuneError
from lttune.records.folder import computed_from, read_sheet, read_trials
from lttune.records.ledger import ENDED, Ledger, Trial
from lttune.store.files import require_inside
from lttune.store.store import require_writable
from lttune.study.declared import Study
from lttune.study.manifest import IDENTITY, fixed_differences
from lttune.study.settings import LONGEST_NAME, StudyConfig
from lttune.study.tracking.database import COMPANIONS, RUNS
from lttune.study.tracking.uri import field_of, is_default, resolve, sqlite_path, sqlite_uri


def can_shard(phase: Phase) -> bool:
    """Returns whether shards have the trials of a phase: they depend on no other's end."""
    return phase.is_known_beforehand or phase.is_drawn


def phases_run(config: StudyConfig) -> tuple[str, ...]:
    """Returns the phases that a run goes through: of those asked for a shard has not all."""
    is_whole = config.shard is None
    return phase_names(lambda p: p.name in config.phases and (is_whole or can_shard(p)))


def shard_of(config: StudyConfig) -> StudyConfig:
    """Returns the settings of the shard that is asked for; the same if none is.

    Raises:
        ConfigError: if it had no phase or too long a name, or if its shards were to write into one
            SQLite file, which only the processes of one machine may at a time.
    """
    if config.shard_numbers is None:
        return config
    name = f"{config.name}{_suffix(config)}"
    changed: dict[str, Any] = {"name": name}
    with every_rule() as rules:
        most = LONGEST_NAME - len(name) + len(config.name)
        ok = len(name) <= LONGEST_NAME
        rules.require(ok, "name", f"at most {most} characters with --shard", config.name)
        rule = f"one of {', '.join(phase_names(can_shard))} with --shard"
        rules.require(bool(phases_run(config)), "phases", rule, config.phases)
        if is_default(config.tracking_uri):
            place = config.out.absolute() / name / "mlflow.db"
            changed["tracking_uri"] = sqlite_uri(place)
        else:
            uri = resolve(config.tracking_uri)
            rule = "a server's with --shard, or none: each shard then has a database of its own"
            ok = sqlite_path(uri) is None
            rules.require(ok, field_of(config.tracking_uri), rule, masked_uri(uri))
    return dataclasses.replace(config, **changed)


def own_database(config: StudyConfig) -> Path | None:
    """Returns the database of MLflow's that a shard has in its folder; None where it has none."""
    return None if config.shard is None else sqlite_path(resolve(config.tracking_uri))


def require_own_database(config: StudyConfig) -> None:
    """Checks that what a shard's database and its runs write stays in the shard's folder.

    The folder may be a stranger's, and nobody named that place.

    Raises:
        StorageError: if a link there leads elsewhere.
    """
    database = own_database(config)
    if database is None:
        return
    runs = database.parent / RUNS
    files = (database.with_name(f"{database.name}{end}") for end in ("", *COMPANIONS))
    # One after the other: a link that leads away is not followed to see what is there.
    for path in itertools.chain(files, [runs], runs.rglob("*")):
        if path.is_symlink():
            require_inside(path, database.parent)


def whole_of(config: StudyConfig) -> StudyConfig:
    """Returns the settings of the study that a shard is of, but for where its MLflow is."""
    name = config.name.removesuffix(_suffix(config))
    return dataclasses.replace(config, name=name, shard=None)


def sheets(config: StudyConfig, sheet: Mapping[str, Any]) -> dict[Path, Mapping[str, Any]]:
    """Returns folder -> the sheet that must fit there, before anything is trained.

    That of a shard's whole study is one of them: it could else not be run after its shards.

    Args:
        config: the settings.
        sheet: what is asked for.
    """
    if config.shard is None:
        return {config.folder: sheet}
    whole = whole_of(config)
    return {config.folder: sheet, whole.folder: _sheet_of_whole(sheet, whole.name)}


def _sheet_of_whole(sheet: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Returns the sheet of a shard as that of the study of a name, which it is of."""
    kept = {field: value for field, value in sheet["config"].items() if field != "shard"}
    return {**sheet, "name": name, "config": {**kept, "name": name}}


def fix_beforehand(config: StudyConfig, study: Study) -> None:
    """Fixes what a study fixes before results are seen: the claims.

    A shard, which judges nothing, does so for the study that it is of, before that has any.

    Raises:
        StorageError: if the folder cannot be written.
    """
    if study.prepare is None:
        return
    folder = whole_of(config).folder
    if config.shard is not None:
        if (folder / "study.json").exists():
            return
        require_writable(folder)
    study.prepare(folder, config.replicates)


def trained_in_shards(config: StudyConfig, ledger: Ledger, sheet: Mapping[str, Any]) -> int:
    """Returns how many trials that a study lacks its shards have ended: it need not train them.

    A folder that has the name of a shard may be of a study of other settings, or of more trials.

    Args:
        config: the settings.
        ledger: the study's, planned.
        sheet: the study's.
    """
    if config.shard is not None:
        return 0
    found: set[tuple[str, str]] = set()
    name = re.compile(rf"{re.escape(config.name)}\.[1-9]\d*-of-[1-9]\d*")
    for folder in config.out.glob("*-of-*"):
        if name.fullmatch(folder.name):
            with contextlib.suppress(LttuneError), computed_from(folder / "study.json"):
                theirs = _sheet_of_whole(read_sheet(folder, IDENTITY), config.name)
                if not fixed_differences(theirs, sheet):
                    found |= _ended(read_trials(folder, theirs.get("study_id")))
    lacked = found - _ended(ledger.trials)
    return sum(_planned_of(phase, lacked, ledger) for phase in ledger.active)


def _planned_of(phase: str, trials: Collection[tuple[str, str]], ledger: Ledger) -> int:
    """Returns how many of some trials that a study lacks are among those planned of a phase."""
    labels = {label for its_phase, label in trials if its_phase == phase}
    if phase_of(phase).is_known_beforehand:
        labels &= {trial.label for trial in ledger.of(phase)}
    # What chance draws is not in the ledger before the search begins.
    return min(len(labels), ledger.open_slots(phase))


def _ended(trials: Iterable[Trial]) -> set[tuple[str, str]]:
    return {(trial.phase, trial.label) for trial in trials if trial.state in ENDED}


def _suffix(config: StudyConfig) -> str:
    if config.shard_numbers is None:
        return ""
    number, of = config.shard_numbers
    return f".{number}-of-{of}"


def in_shard(count: int, before: int, config: StudyConfig) -> range:
    """Returns which of the trials of a phase are those of this run, all if it is of no shard.

    Args:
        count: trials of the phase.
        before: trials of the phases before it that shards have.
        config: the settings.
    """
    if config.shard_numbers is None:
        return range(count)
    number, of = config.shard_numbers
    return range((number - 1 - before) % of, count, of)
