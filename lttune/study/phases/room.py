"""What a study is going to write, in bytes, against what is free where it writes."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping

from lttune.config.phase import PHASES, phase_names
from lttune.data import Dataset
from lttune.errors import StorageError
from lttune.pruning.densities import planned_densities
from lttune.records.ledger import Ledger
from lttune.study.declared import Study
from lttune.study.phases.planned import phase_config, planned_trials, trajectory_counts
from lttune.study.settings import StudyConfig
from lttune.trajectory.lab import network_of
from lttune.trajectory.trial import networks

FILE_BYTES = 4 * 4096
"""Of each network besides its weights: record, times, seal and their folder, in blocks."""


def stored_bytes(config: StudyConfig, study: Study, datasets: Mapping[str, Dataset]) -> int:
    """Returns how many bytes of networks a study writes, those that are there already included.

    Of each ticket the store keeps the surviving weights and a bit for every weight; of a control
    its record. A point that is yet to come counts as the base.
    """
    total = 0.0
    for name in phase_names(lambda phase: phase.name in config.phases):
        base = phase_config(name, config.lottery, config.objective)
        for trial, count in trajectory_counts(planned_trials(PHASES[name], config, study)):
            lottery = base.override(trial.hparams)
            network = network_of(lottery, datasets[lottery.data.name])
            size = sum(map(math.prod, network.shapes.values()))
            densities = planned_densities(lottery, network)
            kept = sum(4 * size * density + size / 8 for density in densities)
            if lottery.rewind_step > 0:
                kept += 4 * size
            files = sum(networks(densities, trial.controls, config.control_densities))
            total += count * (kept + files * FILE_BYTES)
    return math.ceil(total)


def require_room(
    config: StudyConfig, study: Study, datasets: Mapping[str, Dataset], ledger: Ledger
) -> None:
    """Checks that what is missing of a study has room where its networks are stored.

    Args:
        config: the settings.
        study: what the study file declares.
        datasets: all that it can come to.
        ledger: its trials, planned.

    Raises:
        StorageError: with what is needed and what is free.
    """
    open_slots = sum(map(ledger.open_slots, ledger.active))
    planned = sum(ledger.planned[phase] for phase in ledger.active)
    needed = stored_bytes(config, study, datasets) * open_slots / max(planned, 1)
    free = shutil.disk_usage(config.store).free
    if needed > free:
        raise StorageError(
            f"{config.store} needs about {needed / 1e6:,.0f} MB for this study's networks, and "
            f"{free / 1e6:,.0f} MB are free: make room, or give another --out"
        )
