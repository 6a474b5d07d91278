"""One trial: a configuration's trajectories, level by level over its replicates, with branches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from statistics import fmean
from typing import Any

from lttune import masks
from lttune.branches import BRANCHES
from lttune.config import LotteryConfig
from lttune.lab import Lab, Ticket
from lttune.lottery import Level, trajectory
from lttune.seeding import stream

AVERAGED = ("density", "test_accuracy", "val_accuracy", "early_stop_step", "train_time_s")
"""Measures that a report gives as the mean over the trial's replicates."""


def run_trial(
    config: LotteryConfig, replicates: Sequence[int], controls: Sequence[str], lab: Lab
) -> Iterator[dict[str, Any]]:
    """Yields one report a level: the level, means over replicates, and every network's row.

    Raises:
        ConfigError: if the configuration does not fit the network, before anything is trained.
    """
    runs = [trajectory(config, replicate, lab) for replicate in replicates]
    for number, levels in enumerate(zip_longest(*runs)):
        rows: list[dict[str, Any]] = []
        for replicate, level in zip(replicates, levels, strict=True):
            if level is not None:
                rows.append(_row("trunk", level, replicate, config, lab))
                if number > 0:
                    rows += [
                        _row(
                            name,
                            branch(name, level, replicate, config, lab),
                            replicate,
                            config,
                            lab,
                        )
                        for name in controls
                    ]
        trunk = [row for row in rows if row["branch"] == "trunk"]
        means = {name: fmean(row[name] for row in trunk) for name in AVERAGED}
        means["diverged"] = fmean(row["diverged"] for row in trunk)
        last = all(level is None or level.last for level in levels)
        yield {"level": number, **means, "last": last, "rows": rows}


def branch(name: str, trunk: Level, replicate: int, config: LotteryConfig, lab: Lab) -> Level:
    """Returns the control ``name`` trained at a level of the trunk."""
    rng = stream(lab.seed, replicate, name, trunk.level)
    mask, start = BRANCHES[name](trunk.ticket.mask, trunk.ticket.start, lab.network(config), rng)
    ticket = Ticket(mask=mask, start=start)
    identity = {"trunk": trunk.key, "branch": name}
    key, cell, reused = lab.train(identity, config, replicate, trunk.level, ticket, keep=False)
    return Level(level=trunk.level, ticket=ticket, key=key, cell=cell, reused=reused)


def _row(
    name: str, level: Level, replicate: int, config: LotteryConfig, lab: Lab
) -> dict[str, Any]:
    mask, cell = level.ticket.mask, level.cell
    layers = {f"density.{layer}": d for layer, d in masks.layer_densities(mask).items()}
    return {
        "replicate": replicate,
        "branch": name,
        "level": level.level,
        "density": masks.density(mask),
        "surviving": masks.surviving(mask),
        "prunable": masks.prunable(mask),
        **cell.record["measures"],
        **cell.times,
        "reused": level.reused,
        "seed": lab.seed,
        "numerics": lab.engine.numerics,
        "cell": level.key,
        **layers,
        **config.flat(),
    }
