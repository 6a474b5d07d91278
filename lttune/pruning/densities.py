"""The densities of a trajectory's levels, before anything is trained."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lttune.config import LotteryConfig
from lttune.errors import ConfigError
from lttune.models import Network
from lttune.pruning.rule import Group, competing_groups, planned_removals, removed

LEARNED_DENSITY = 0.5
"""Density planned for a learned mask: with logits at zero, half of the weights are drawn."""


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
