"""What a study is going to write, in bytes and files, against what is free where it writes."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from lttune.config.phase import PHASES
from lttune.data import Dataset
from lttune.data.files.npz import ARRAYS
from lttune.errors import StorageError
from lttune.pruning.densities import planned_densities
from lttune.records.ledger import Ledger
from lttune.store.disk import Room, free_room, is_one_disk, shortage
from lttune.store.files import reason_of
from lttune.store.remote.places import local_folder
from lttune.store.remote.url import is_url
from lttune.study.declared import Study
from lttune.study.phases.planned import phase_config, planned_trials, trajectory_counts
from lttune.study.phases.shard import phases_run, trained_in_shards
from lttune.study.settings import StudyConfig
from lttune.trajectory.branches.own import keeps_weights
from lttune.trajectory.lab import network_of
from lttune.trajectory.trial import networks

NEEDING = "this study's networks"
"""What needs room, in words."""
OTHER_CACHE = ", or set XDG_CACHE_HOME"
"""What else there is to do of the copy of a store behind a URL."""
FILE_BYTES = 4 * 4096
"""Of each network besides its weights: record, times, seal and their folder, in blocks."""
FILES = 6
"""Of each network: record, times, seal, weights, their folder and its lock; most controls have no
weights."""


def stored_room(config: StudyConfig, study: Study, datasets: Mapping[str, Dataset]) -> Room:
    """Returns what the networks of a study need, those that are there already included.

    Of each ticket the store keeps the surviving weights and a bit for every weight, and so of a
    control of one's own and of the sibling; of others their record; with ``prune.step`` a ticket's
    surviving weights of that step as well. A point that is yet to come counts as the base.
    """
    size, files = 0.0, 0
    for name in phases_run(config):
        base = phase_config(name, config.lottery, config.objective)
        for trial, count in trajectory_counts(planned_trials(PHASES[name], config, study)):
            lottery = base.override(trial.hparams)
            network = network_of(lottery, datasets[lottery.data.name])
            weights = sum(map(math.prod, network.shapes.values()))
            densities = planned_densities(lottery, network)
            copies = 4 if lottery.prune.step is None else 8
            kept = sum(copies * weights * density + weights / 8 for density in densities)
            keeping = [name for name in trial.controls if keeps_weights(name)]
            counts = networks(densities, keeping, config.control_densities)
            for density, count_here in zip(densities, counts, strict=True):
                kept += (count_here - 1) * (4 * weights * density + weights / 8)
            if lottery.rewind_step > 0:
                kept += 4 * weights
            cells = sum(networks(densities, trial.controls, config.control_densities))
            size += count * (kept + cells * FILE_BYTES)
            files += count * cells * FILES
    return Room(size=math.ceil(size), files=files)


def require_room(
    config: StudyConfig,
    study: Study,
    datasets: Mapping[str, Dataset],
    pictures: Collection[Dataset],
    ledger: Ledger,
    sheet: Mapping[str, Any],
) -> Room:
    """Checks that what is missing of a study has room where its networks are stored here.

    Pictures that it has yet to keep need theirs in its folder: on one disk, both at once. Of a
    store behind a URL, the nodes of a cluster that is joined keep what they train: they are asked
    with all else (``lttune.study.workers.nodes``).

    Args:
        config: the settings.
        study: what the study file declares.
        datasets: all that it can come to.
        pictures: those that are to be kept (``lttune.data.made.not_kept``).
        ledger: its trials, planned.
        sheet: its sheet.

    Returns:
        What its networks need that are missing.

    Raises:
        StorageError: with what is needed and what is free.
    """
    open_slots = sum(map(ledger.open_slots, ledger.active))
    open_slots -= trained_in_shards(config, ledger, sheet)
    planned = sum(ledger.planned[phase] for phase in ledger.active)
    whole, share = stored_room(config, study, datasets), max(open_slots, 0) / max(planned, 1)
    missing = Room(size=math.ceil(whole.size * share), files=math.ceil((whole.files or 0) * share))
    otherwise, place = ", or give another --out", local_folder(config.cells)
    if config.store is not None:
        otherwise = OTHER_CACHE if is_url(config.store) else ", or another --store"
    is_here = config.has_own_ray or not is_url(config.cells)
    size = sum(getattr(one, name).nbytes for one in pictures for name in ARRAYS)
    if pictures and is_here and is_one_disk(place, config.folder):
        files = (missing.files or 0) + len(pictures)
        both = Room(size=missing.size + size, files=files)
        require_free(place, both, "this study's networks and pictures", otherwise)
        return missing
    if is_here:
        require_free(place, missing, NEEDING, otherwise)
    if pictures:
        needed = Room(size=size, files=len(pictures))
        require_free(config.folder, needed, "this study's pictures", ", or give another --out")
    return missing


def records_room(networks: int) -> Room:
    """Returns what networks need whose weights are not kept."""
    return Room(size=networks * FILE_BYTES, files=networks * FILES)


def require_free(store: Path, needed: Room, what: str, otherwise: str = "") -> None:
    """Checks that a store has room.

    Args:
        store: its folder.
        needed: what is to be written there.
        what: what needs it, in words.
        otherwise: what there is to do but to make room.

    Raises:
        StorageError: with what is needed and what is free.
    """
    try:
        free = free_room(store)
    except OSError as error:
        raise StorageError(f"{store} cannot be looked at: {reason_of(error)}") from error
    if lack := shortage(needed, free):
        raise StorageError(f"{store} {lack.format(what)}{otherwise}")
