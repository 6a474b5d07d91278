"""How many levels a pruning rate needs to come down to a density."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from lttune.config.design.points import Point, require_points
from lttune.config.fields import as_python, is_number, require

SHARES = {"fc1": 235_200 / 266_200, "fc2": 30_000 / 266_200, "out": 1_000 / 266_200}
"""Layer -> share of LeNet-300-100's weights that it holds."""


def levels_to(density: float, fractions: Mapping[str, float]) -> int:
    """Returns the first level of LeNet-300-100 at or below a density.

    Counts are rounded down to whole weights in training, hence a level in reserve.

    Args:
        density: in (0, 1).
        fractions: layer of ``SHARES`` -> share of its survivors that each level removes, in [0, 1).

    Raises:
        ConfigError: if a number is out of range, or 200 levels do not suffice.
    """
    density, fractions = as_python(density), as_python(fractions)
    require(is_number(density) and 0 < density < 1, "density", "in (0, 1)", density)
    ok = isinstance(fractions, Mapping) and fractions.keys() >= SHARES.keys()
    require(ok, "fractions", f"a dict of {', '.join(SHARES)} to a share", fractions)
    for layer in SHARES:
        share = fractions[layer]
        require(is_number(share) and 0 <= share < 1, layer, "in [0, 1)", share)
    for level in range(1, 200):
        if sum(share * (1 - fractions[one]) ** level for one, share in SHARES.items()) <= density:
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
            A layer's own fraction counts before both.

    Raises:
        ConfigError: if a density cannot be reached.
    """
    density, fraction = as_python((density, fraction))
    require(is_number(fraction), "fraction", "a number", fraction)
    ready: list[Point] = []
    for point in require_points(points):
        rate = point.hparams.get("prune.fraction", fraction)
        require(is_number(rate), f"prune.fraction of {point.label!r}", "a number", rate)
        plain = {"fc1": rate, "fc2": rate, "out": rate / 2}
        own = {n: point.hparams.get(f"prune.fractions.{n}", value) for n, value in plain.items()}
        ends = {"levels": levels_to(density, own), "min_density": density}
        ready.append(dataclasses.replace(point, hparams={**point.hparams, **ends}))
    return ready
