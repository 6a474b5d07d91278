"""The lottery: train, prune, rewind, and again (Frankle & Carbin 2019, section 2 and App. B)."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lttune import masks
from lttune.config import LotteryConfig
from lttune.errors import ConfigError
from lttune.lab import Lab, Task, Ticket, weights_of
from lttune.models import Network
from lttune.pruning import competing_groups, prune, removed
from lttune.seeding import stream
from lttune.store import Stored


@dataclass(frozen=True, kw_only=True)
class Level:
    """One trained network of a trajectory; level 0 is dense."""

    level: int
    replicate: int
    ticket: Ticket
    stored: Stored
    """Its cell."""
    last: bool
    """True if no level of the trunk follows."""


def walk(config: LotteryConfig, replicate: int, lab: Lab) -> Generator[Task, Stored, None]:
    """Walks one replicate's trajectory: yields the network to train, is sent its cell, and so on.

    Whoever walks decides with whom a network is trained. Ends early at divergence.

    Raises:
        ConfigError: if the configuration does not fit the network, before anything is trained.
    """
    network = lab.network(config)
    levels = len(planned_densities(config, network))
    initial = network.initial_weights(stream(lab.seed, replicate, "init"))
    ticket = Ticket(mask=masks.ones(initial, network.prunable), start=initial)
    identity = lab.identity(config, replicate)
    trained = rewound = initial
    for level in range(levels):
        if level > 0:
            mask = prune(trained, ticket.mask, config.prune, network.kinds)
            ticket = Ticket(mask=mask, start=masks.apply(rewound, mask))
        stored = yield Task(
            identity=identity,
            config=config,
            replicate=replicate,
            level=level,
            ticket=ticket,
            keep=True,
        )
        if stored.cell.record["measures"]["diverged"]:
            return
        trained = weights_of(stored.cell, network)
        if level == 0 and config.rewind_step > 0:
            rewound = weights_of(stored.cell, network, "rewind")
        identity = {"trunk": stored.key, "level": level + 1, "prune": _rule(config, network)}


def trajectories(
    config: LotteryConfig, replicates: Sequence[int], lab: Lab
) -> Iterator[list[Level]]:
    """Yields level after level of several replicates, each level's networks trained as one list.

    A replicate that diverged has no deeper levels; the others go on.

    Raises:
        ConfigError: if the configuration does not fit the network, before anything is trained.
    """
    walks = {replicate: walk(config, replicate, lab) for replicate in replicates}
    tasks = {replicate: next(steps) for replicate, steps in walks.items()}
    while tasks:
        found = dict(zip(tasks, lab.train(list(tasks.values())), strict=True))
        following: dict[int, Task] = {}
        for replicate, stored in found.items():
            with contextlib.suppress(StopIteration):
                following[replicate] = walks[replicate].send(stored)
        yield [
            Level(
                level=task.level,
                replicate=replicate,
                ticket=task.ticket,
                stored=found[replicate],
                last=replicate not in following,
            )
            for replicate, task in tasks.items()
        ]
        tasks = following


def planned_densities(config: LotteryConfig, network: Network) -> list[float]:
    """Returns the density of every level that a trajectory will train, dense first.

    The counts are exact: each competing group loses ``floor(fraction * survivors)`` per level.

    Raises:
        ConfigError: if a fraction names no layer, or is too small to remove a single weight.
    """
    sizes = {name: math.prod(network.shapes[name]) for name in network.prunable}
    total = sum(sizes.values())
    counts: list[int] = []
    fractions: list[float] = []
    for names, fraction in competing_groups(config.prune, network.kinds):
        count = sum(sizes[name] for name in names)
        if fraction > 0 and removed(fraction, count) == 0:
            layer = names[0].removesuffix(".weight")
            raise ConfigError(
                f"prune.fractions must remove a weight of {layer} ({count} weights) at level 1, "
                f"got {fraction!r}"
            )
        counts.append(count)
        fractions.append(fraction)
    densities = [1.0]
    while len(densities) <= config.levels and densities[-1] > config.min_density:
        counts = [c - removed(f, c) for c, f in zip(counts, fractions, strict=True)]
        densities.append(sum(counts) / total)
    return densities


def _rule(config: LotteryConfig, network: Network) -> dict[str, Any]:
    """Returns what of ``prune`` determines the next mask, for the cell's identity."""
    groups = competing_groups(config.prune, network.kinds)
    return {"criterion": config.prune.criterion, "groups": [[names, f] for names, f in groups]}
