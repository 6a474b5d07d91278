"""Shapley effects: one additive split of a variance, also where the factors are not independent.

Inside a region that is no box, "the share that a factor alone explains" depends on what it tells of
the others. Shapley effects (Owen 2014; Song, Nelson & Staum 2016) share that out evenly: they are
>= 0 and sum to 1. All 2^d subsets are visited, each by pick-and-freeze inside the region.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from math import comb

import numpy as np
import scipy
from numpy.typing import NDArray

from lttune.config.design.distributions import Floats

MAX_FACTORS = 10
LEAST_VARIANCE = 1e-12
"""As a share of the squared mean, and of 1e-12 at least: below it a function does not vary."""
ROUNDS = 200
"""Attempts to find a second point in the region that shares the frozen coordinates."""

Region = Callable[[Floats], NDArray[np.bool_]]


def shapley_effects(
    function: Callable[[Floats], Floats],
    factors: int,
    *,
    inside: Region | None = None,
    base: int = 1024,
    seed: int = 0,
) -> Floats:
    """Returns each factor's Shapley effect on k functions, shape (factors, k).

    NaN where a function does not vary in the region.

    Args:
        function: maps (m, d) unit coordinates to (m, k) values, without noise.
        factors: d, at most 10.
        inside: whether points lie in the region; None is the whole cube.
        base: points at which variances are averaged.
        seed: of the points.

    Raises:
        ValueError: if there are too many factors, or less than 1 % of the cube is inside.
    """
    if not 1 <= factors <= MAX_FACTORS:
        raise ValueError(f"exact Shapley effects need 1 to {MAX_FACTORS} factors, got {factors}")
    region: Region = inside or (lambda points: np.ones(len(points), dtype=bool))
    rng = np.random.default_rng(seed)
    points, others = _inside(region, factors, base, seed)
    y = function(points)
    # costs[S]: expected variance that is left when all factors but those of S are known.
    costs: dict[frozenset[int], Floats] = {frozenset(): np.zeros(y.shape[1])}
    for size in range(1, factors + 1):
        for subset in combinations(range(factors), size):
            other = function(_redrawn(region, points, others, subset, rng))
            costs[frozenset(subset)] = ((y - other) ** 2).mean(0) / 2
    whole = costs[frozenset(range(factors))]
    effects = np.zeros((factors, y.shape[1]))
    for subset, cost in costs.items():
        for j in set(range(factors)) - subset:
            weight = 1 / (factors * comb(factors - 1, len(subset)))
            effects[j] += weight * (costs[subset | {j}] - cost)
    least = LEAST_VARIANCE * np.maximum(y.mean(0) ** 2, LEAST_VARIANCE)
    return effects / np.where(whole > least, whole, np.nan)


def _inside(region: Region, factors: int, count: int, seed: int) -> tuple[Floats, Floats]:
    """Returns points in the region, and beside each the one of the cube to mix with it."""
    both = scipy.stats.qmc.Sobol(2 * factors, rng=seed).random(128 * 1 << (count - 1).bit_length())
    found = both[region(both[:, :factors])]
    if len(found) < count:
        raise ValueError(f"only {len(found) / len(both):.2%} of the cube lies in the region")
    return found[:count, :factors], found[:count, factors:]


def _redrawn(
    region: Region,
    points: Floats,
    others: Floats,
    subset: tuple[int, ...],
    rng: np.random.Generator,
) -> Floats:
    """Returns the points with the coordinates of a subset drawn anew inside the region.

    The first attempt is the quasi-random one. The few that find no second point in all rounds keep
    their own, so they count as determined.
    """
    drawn = points.copy()
    waiting = np.arange(len(points))
    attempt = others[:, subset]
    for _ in range(ROUNDS):
        trial = points[waiting]
        trial[:, subset] = attempt
        good = region(trial)
        drawn[waiting[good]] = trial[good]
        waiting = waiting[~good]
        if not len(waiting):
            break
        attempt = rng.random((len(waiting), len(subset)))
    return drawn
