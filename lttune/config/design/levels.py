"""How many levels a pruning rate needs to come down to a density."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from lttune.config import require
from lttune.config.design.points import Point

OUTPUT_SHARE = 1_000 / 266_200
"""Share of LeNet-300-100's weights that its output layer holds."""


def levels_to(density: float, fraction: float, output_fraction: float) -> int:
    """Returns the first level of LeNet-300-100 at or below a density.

    Each level removes ``fraction`` of the survivors, ``output_fraction`` in the output layer.
    Counts are rounded down to whole weights in training, hence a level in reserve.

    Raises:
        ConfigError: if a number is not in (0, 1), or 200 levels do not suffice.
    """
    for name, value in (("density", density), ("fraction", fraction)):
        require(0 < value < 1, name, "in (0, 1)", value)
    require(0 <= output_fraction < 1, "output_fraction", "in [0, 1)", output_fraction)
    for level in range(1, 200):
        hidden = (1 - OUTPUT_SHARE) * (1 - fraction) ** level
        if hidden + OUTPUT_SHARE * (1 - output_fraction) ** level <= density:
            return level + 1
    require(False, "density", "reached within 200 levels", density)
    raise AssertionError


def reaching(points: Iterable[Point], density: float, fraction: float = 0.2) -> list[Point]:
    """Returns the points with the levels that each needs to come down to a density.

    A trajectory ends at its first level there (``min_density``), so slow pruning trains more
    networks, and all points can be compared at every density above.

    Args:
        points: of any design.
        density: where all trajectories end, in (0, 1).
        fraction: pruning rate of points that do not set ``prune.fraction``; outputs at half of it.

    Raises:
        ConfigError: if a density cannot be reached.
    """
    ready: list[Point] = []
    for point in points:
        rate = point.hparams.get("prune.fraction", fraction)
        output = point.hparams.get("prune.fractions.out", rate / 2)
        ends = {"levels": levels_to(density, rate, output), "min_density": density}
        ready.append(dataclasses.replace(point, hparams={**point.hparams, **ends}))
    return ready
