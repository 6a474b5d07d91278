"""One trial: a configuration's trajectories, level by level over its replicates, with branches."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import Any

from lttune import masks
from lttune.branches import BRANCHES
from lttune.config import LotteryConfig
from lttune.data.dataset import validation_size
from lttune.lab import Lab
from lttune.lottery import Level, trajectories
from lttune.seeding import stream
from lttune.store import Stored
from lttune.tasks import Task, Ticket

AVERAGED = ("density", "test_accuracy", "val_accuracy", "early_stop_step", "train_time_s")
"""Measures that a report gives as the mean over the trial's replicates."""


def run_trial(
    config: LotteryConfig, replicates: Sequence[int], controls: Sequence[str], lab: Lab
) -> Iterator[dict[str, Any]]:
    """Yields one report a level: the level, means over replicates, and every network's row.

    Raises:
        ConfigError: if the configuration does not fit the network, before anything is trained.
    """
    for levels in trajectories(config, replicates, lab):
        number = levels[0].level
        rows = [
            _row("trunk", level.level, level.replicate, level.ticket, level.stored, config, lab)
            for level in levels
        ]
        means = {name: fmean(row[name] for row in rows) for name in AVERAGED}
        means["diverged"] = fmean(row["diverged"] for row in rows)
        if number > 0:
            names = [(name, level) for level in levels for name in controls]
            tasks = [_branch(name, level, config, lab) for name, level in names]
            rows += [
                _row(name, task.level, task.replicate, task.ticket, stored, config, lab)
                for (name, _), task, stored in zip(names, tasks, lab.train(tasks), strict=True)
            ]
        last = all(level.last for level in levels)
        yield {"level": number, **means, "last": last, "rows": rows}


def _branch(name: str, trunk: Level, config: LotteryConfig, lab: Lab) -> Task:
    """Returns the task of a control that leaves the trunk at a level."""
    assert trunk.junction is not None
    rng = stream(lab.seed, trunk.replicate, name, trunk.level)
    leaving = BRANCHES[name](dataclasses.replace(trunk.junction, rng=rng))
    return Task(
        identity={"trunk": trunk.stored.key, "branch": name, **leaving.identity},
        config=leaving.config or config,
        replicate=trunk.replicate,
        level=trunk.level,
        ticket=Ticket(mask=leaving.mask, start=leaving.start),
        train=leaving.train,
        first_step=leaving.first_step,
        order=leaving.order,
        keep=False,
    )


def _row(
    name: str,
    level: int,
    replicate: int,
    ticket: Ticket,
    stored: Stored,
    config: LotteryConfig,
    lab: Lab,
) -> dict[str, Any]:
    mask, cell = ticket.mask, stored.cell
    layers = {f"density.{layer}": d for layer, d in masks.layer_densities(mask).items()}
    return {
        "replicate": replicate,
        "branch": name,
        "level": level,
        "density": masks.density(mask),
        "surviving": masks.surviving(mask),
        "prunable": masks.prunable(mask),
        **cell.record["measures"],
        **cell.times,
        "reused": stored.reused,
        "seed": lab.seed,
        "numerics": lab.engine.numerics,
        "cell": stored.key,
        **layers,
        **config.flat(),
        "data.validation": validation_size(lab.examples(config.data), config.data.validation),
    }
