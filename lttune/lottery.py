"""The lottery: train, prune, rewind, and again (Frankle & Carbin 2019, section 2 and App. B)."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lttune import masks
from lttune.config import LotteryConfig
from lttune.criteria import MEASURED
from lttune.errors import ConfigError
from lttune.lab import Lab
from lttune.models import Network
from lttune.pruning import Group, competing_groups, planned_removals, prune, removed
from lttune.seeding import stream
from lttune.starts import Junction, course, start
from lttune.store import Stored
from lttune.tasks import Task, Ticket, weights_of


@dataclass(frozen=True, kw_only=True)
class Level:
    """One trained network of a trajectory; level 0 is dense."""

    level: int
    replicate: int
    ticket: Ticket
    stored: Stored
    """Its cell."""
    junction: Junction | None
    """Where its branches leave; None at level 0."""
    last: bool
    """True if no level of the trunk follows."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """What a walk wants trained next, and where the level's branches leave the trunk."""

    task: Task
    junction: Junction | None = None


def walk(config: LotteryConfig, replicate: int, lab: Lab) -> Generator[Step, Stored, None]:
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
    trained = dense = rewound = initial
    junction: Junction | None = None
    train, first_step = config.train, 0
    for level in range(levels):
        if level > 0:
            evidence = lab.evidence(config, replicate, level, initial, trained, ticket.mask)
            junction = Junction(
                mask=prune(evidence, config.prune),
                initial=initial,
                rewound=rewound,
                trained=trained,
                dense=dense,
                network=network,
                config=config,
                rng=stream(lab.seed, replicate, config.kept, level),
            )
            weights = start(junction, config.kept, config.pruned)
            ticket = Ticket(mask=junction.mask, start=weights)
            train, first_step = course(config, config.kept)
        task = Task(
            identity=identity,
            config=config,
            replicate=replicate,
            level=level,
            ticket=ticket,
            train=train,
            first_step=first_step,
            keep=True,
        )
        stored = yield Step(task=task, junction=junction)
        if stored.cell.record["measures"]["diverged"]:
            return
        trained = weights_of(stored.cell, network)
        if level == 0:
            dense = trained
            rewound = weights_of(stored.cell, network, "rewind") if config.rewind_step else initial
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
    steps = {replicate: next(walking) for replicate, walking in walks.items()}
    while steps:
        trained = lab.train([step.task for step in steps.values()])
        found = dict(zip(steps, trained, strict=True))
        following: dict[int, Step] = {}
        for replicate, stored in found.items():
            with contextlib.suppress(StopIteration):
                following[replicate] = walks[replicate].send(stored)
        yield [
            Level(
                level=step.task.level,
                replicate=replicate,
                ticket=step.task.ticket,
                stored=found[replicate],
                junction=step.junction,
                last=replicate not in following,
            )
            for replicate, step in steps.items()
        ]
        steps = following


def planned_densities(config: LotteryConfig, network: Network) -> list[float]:
    """Returns the density of every level that a trajectory will train, dense first.

    The counts are exact: see ``pruning.planned_removals``.

    Args:
        config: the trajectory.
        network: without the layers that ``prune.exclude`` leaves out.

    Raises:
        ConfigError: if a fraction names no layer, or is too small to remove a single weight, or no
            prunable weight may go.
    """
    groups = competing_groups(config.prune, network.kinds)
    units, sizes = zip(*(_units(config, group, network) for group in groups), strict=True)
    for group, count in zip(groups, units, strict=True):
        fraction = group.fraction
        if config.prune.one_shot is None and fraction > 0 and removed(fraction, count) == 0:
            layer = group.names[0].removesuffix(".weight")
            what = "channels" if config.prune.structure == "channel" else "weights"
            raise ConfigError(
                f"prune.fractions must remove one of the {count} {what} of {layer} at level 1, "
                f"got {fraction!r}"
            )
    total = _weights(units, sizes)
    counts, densities = list(units), [1.0]
    while len(densities) <= config.levels and densities[-1] > config.min_density:
        gone = planned_removals(config.prune, groups, counts, sizes)
        counts = [count - less for count, less in zip(counts, gone, strict=True)]
        densities.append(_weights(counts, sizes) / total)
        if config.prune.one_shot is not None and densities[-1] > config.prune.one_shot:
            raise ConfigError(
                f"prune.one_shot must be reachable: layers that stay whole leave a density of "
                f"{densities[-1]:.3g}, got {config.prune.one_shot!r}"
            )
    return densities


def _units(config: LotteryConfig, group: Group, network: Network) -> tuple[int, int]:
    """Returns how many units compete in a group, and how many weights one has."""
    shapes = [network.shapes[name] for name in group.names]
    if config.prune.structure == "channel":
        return shapes[0][0], math.prod(shapes[0][1:])
    return sum(math.prod(shape) for shape in shapes), 1


def _weights(counts: Sequence[int], sizes: Sequence[int]) -> int:
    return sum(count * size for count, size in zip(counts, sizes, strict=True))


def _rule(config: LotteryConfig, network: Network) -> dict[str, Any]:
    """Returns what determines the next level beside the level before: mask, start, course.

    Settings that change nothing here are left out, so that they split no cells.
    """
    rule: dict[str, Any] = {"criterion": config.prune.criterion}
    groups = competing_groups(config.prune, network.kinds)
    rule["groups"] = [[group.names, group.fraction] for group in groups]
    prune = config.prune
    if prune.criterion in MEASURED:
        rule["scoring_examples"] = prune.scoring_examples
    optional = {
        "structure": (prune.structure, "weight"),
        "rounds": (prune.rounds, 1),
        "one_shot": (prune.one_shot, None),
        "kept": (config.kept, "rewind"),
        "pruned": (config.pruned, "zero"),
    }
    return rule | {name: value for name, (value, plain) in optional.items() if value != plain}
