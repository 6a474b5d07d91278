"""One of the shards that several machines train a study in (``--shard 3/16``).

A shard is a study of its own, with a folder, tables, a report and, unless a server is named, a
database of MLflow's. Of the trials that need to know of no other's end, counted through all phases,
it has every sixteenth. Its networks go into the store that all studies share: the study itself, run
after its shards, reads what they trained and trains what is left.
"""

from __future__ import annotations

import dataclasses

from lttune.config.passwords import masked_uri
from lttune.config.phase import Phase, phase_names, phase_of
from lttune.config.rules import every_rule
from lttune.store.store import require_writable
from lttune.study.declared import Study
from lttune.study.settings import LONGEST_NAME, StudyConfig
from lttune.study.tracking.uri import field_of, is_default, resolve, sqlite_path, sqlite_uri


def can_shard(phase: Phase) -> bool:
    """Returns whether shards have the trials of a phase: they depend on no other's end."""
    return phase.is_known_beforehand or phase.is_drawn


def shard_of(config: StudyConfig) -> StudyConfig:
    """Returns the settings of the shard that is asked for; the same if none is.

    Raises:
        ConfigError: if it had no phase or too long a name, or if its shards were to write into one
            SQLite file, which only the processes of one machine may at a time.
    """
    if config.shard_numbers is None:
        return config
    number, of = config.shard_numbers
    name = f"{config.name}{_suffix(number, of)}"
    uri = resolve(config.tracking_uri)
    phases = tuple(phase for phase in config.phases if can_shard(phase_of(phase)))
    with every_rule() as rules:
        most = LONGEST_NAME - len(name) + len(config.name)
        ok = len(name) <= LONGEST_NAME
        rules.require(ok, "name", f"at most {most} characters with --shard", config.name)
        rule = f"one of {', '.join(phase_names(can_shard))} with --shard"
        rules.require(bool(phases), "phases", rule, config.phases)
        if is_default(config.tracking_uri):
            uri = sqlite_uri(config.out.absolute() / name / "mlflow.db")
        else:
            rule = "a server's with --shard, or none: each shard then has a database of its own"
            ok = sqlite_path(uri) is None
            rules.require(ok, field_of(config.tracking_uri), rule, masked_uri(uri))
    return dataclasses.replace(config, name=name, phases=phases, tracking_uri=uri)


def fix_beforehand(config: StudyConfig, study: Study) -> None:
    """Fixes what a study fixes before results are seen; a shard does so for the study itself too.

    That one runs when its networks are there already.

    Raises:
        StorageError: if a folder cannot be written.
    """
    if study.prepare is None:
        return
    if config.shard_numbers is not None:
        number, of = config.shard_numbers
        whole = config.folder.with_name(config.name.removesuffix(_suffix(number, of)))
        require_writable(whole)
        study.prepare(whole, config.replicates)
    study.prepare(config.folder, config.replicates)


def _suffix(number: int, of: int) -> str:
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
