"""The densities of a trajectory's levels, before anything is trained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lttune.config import LotteryConfig
from lttune.errors import ConfigError
from lttune.models import Network
from lttune.models.layers import layer_name
from lttune.pruning.rule import Group, competing_groups, planned_removals, removed

LEARNED_DENSITY = 0.5
"""Density planned for a learned mask: with logits at zero, half of the weights are drawn."""


@dataclass(frozen=True, kw_only=True)
class _PlannedCounts:
    """How many units of each competing group survive each level, dense first."""

    groups: list[Group]
    sizes: tuple[int, ...]
    """Weights of one unit of each group."""
    levels: list[list[int]]
    densities: list[float]


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
    if config.method == "supermask":
        return [1.0, LEARNED_DENSITY][: config.levels + 1]
    return _plan(config, network).densities


def require_survivors(config: LotteryConfig, network: Network) -> None:
    """Checks that every group of weights that competes has survivors at every planned level.

    In layer scope that is every layer. What single layers of a larger group lose depends on the
    trained weights, and so does a learned mask: there nothing can be known beforehand.

    Args:
        config: the trajectory.
        network: without the layers that ``prune.exclude`` leaves out.

    Raises:
        ConfigError: naming each group without survivors and its first such level, or as
            ``planned_densities`` does.
    """
    if config.method == "supermask":
        return
    plan = _plan(config, network)
    empty = [
        f"{_named(group)} 0 of {counts[0]} {_units_of(config)} at level {counts.index(0)}"
        for group, counts in zip(plan.groups, zip(*plan.levels, strict=True), strict=True)
        if 0 in counts
    ]
    if empty:
        raise ConfigError(
            f"prune.one_shot must leave something of every layer, got {config.prune.one_shot!r}, "
            f"which leaves {', '.join(empty)}; give a larger one, or these layers smaller "
            "prune.fractions"
        )


def _plan(config: LotteryConfig, network: Network) -> _PlannedCounts:
    groups = competing_groups(config.prune, network.kinds)
    if config.levels > 0 and not any(group.fraction for group in groups):
        raise ConfigError(
            f"prune.fractions must let something go of {', '.join(network.kinds)}, "
            f"got {config.prune.fractions!r}"
        )
    units, sizes = zip(*(_units(config, group, network) for group in groups), strict=True)
    for group, count in zip(groups, units, strict=True):
        fraction = group.fraction
        if config.prune.one_shot is None and fraction > 0 and removed(fraction, count) == 0:
            raise ConfigError(
                f"prune.fractions must remove one of the {count} {_units_of(config)} of "
                f"{_named(group)} at level 1, got {fraction!r}"
            )
    total = _weights(units, sizes)
    levels, densities = [list(units)], [1.0]
    while len(densities) <= config.levels and densities[-1] > config.min_density:
        counts = levels[-1]
        gone = planned_removals(config.prune, groups, counts, sizes)
        levels.append([count - less for count, less in zip(counts, gone, strict=True)])
        densities.append(_weights(levels[-1], sizes) / total)
        if config.prune.one_shot is not None and densities[-1] > config.prune.one_shot:
            raise ConfigError(
                f"prune.one_shot must be reachable: layers that stay whole leave a density of "
                f"{densities[-1]:.3g}, got {config.prune.one_shot!r}"
            )
    return _PlannedCounts(groups=groups, sizes=sizes, levels=levels, densities=densities)


def _named(group: Group) -> str:
    """Returns what a message calls a group."""
    first, *rest = map(layer_name, group.names)
    return f"{first} to {rest[-1]}" if rest else first


def _units_of(config: LotteryConfig) -> str:
    return "channels" if config.prune.structure == "channel" else "weights"


def around(wanted: Sequence[float], planned: Sequence[float]) -> frozenset[int]:
    """Returns the levels on either side of each wanted density, all levels if none is wanted.

    A curve over these levels has the same value at the wanted densities as one over all levels.

    Args:
        wanted: densities in (0, 1]; those below the last level's count as the last level.
        planned: density of each level, falling.
    """
    if not wanted:
        return frozenset(range(len(planned)))
    below = [
        next((level for level, found in enumerate(planned) if found <= density), len(planned) - 1)
        for density in wanted
    ]
    return frozenset(level for last in below for level in (max(last - 1, 0), last))


def _units(config: LotteryConfig, group: Group, network: Network) -> tuple[int, int]:
    """Returns how many units compete in a group, and how many weights one has."""
    shapes = [network.shapes[name] for name in group.names]
    if config.prune.structure == "channel":
        return shapes[0][0], math.prod(shapes[0][1:])
    return sum(math.prod(shape) for shape in shapes), 1


def _weights(counts: Sequence[int], sizes: Sequence[int]) -> int:
    return sum(count * size for count, size in zip(counts, sizes, strict=True))
