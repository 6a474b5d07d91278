"""Sobol' indices of functions of the unit cube, by pick-and-freeze on two quasi-random samples.

First order and closed pairs as in Saltelli et al. (2010), totals as in Jansen (1999), each averaged
over the two ways round. The functions must be free of noise: its variance would count as
interaction.

Suffixes: s base sample, d factors, k functions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import scipy

from analysis.importance.shapley import LEAST_VARIANCE
from lttune.config.design.distributions import Floats

BASE = 4096
"""Points of the base sample."""


@dataclass(frozen=True, kw_only=True)
class Indices:
    """Sobol' indices of k functions; NaN where a function does not vary."""

    first: Floats
    """S1: share of variance that a factor alone explains, shape (d, k)."""
    total: Floats
    """ST: share that is left when all others are known, shape (d, k)."""
    pairs: Floats
    """Closed pairs: share that two factors together explain, shape (d (d - 1) / 2, k)."""
    variance: Floats
    """Variance over the cube, shape (k,)."""
    base: int
    """Points of the base sample."""


def pair_names(names: list[str]) -> list[tuple[str, str]]:
    """Returns the pairs in the order of ``Indices.pairs``."""
    return list(combinations(names, 2))


def sobol_indices(
    function: Callable[[Floats], Floats], factors: int, *, base: int = BASE, seed: int = 0
) -> Indices:
    """Returns the indices of functions that map (m, d) unit coordinates to (m, k) values.

    Costs ``base * (2 d + 2)`` evaluations.

    Args:
        function: without noise.
        factors: d.
        base: points of the base sample, a power of two.
        seed: of the scrambling.
    """
    sequence = scipy.stats.qmc.Sobol(2 * factors, scramble=True, rng=seed)
    both = sequence.random(base)
    a, b = both[:, :factors], both[:, factors:]
    y_a, y_b = function(a), function(b)
    # Products of values far from zero lose digits, and variance in the estimate.
    centre = (y_a.mean(0) + y_b.mean(0)) / 2
    y_a, y_b = y_a - centre, y_b - centre
    y_ab = np.stack([function(_swapped(a, b, j)) - centre for j in range(factors)])
    y_ba = np.stack([function(_swapped(b, a, j)) - centre for j in range(factors)])
    variance = (y_a.var(0) + y_b.var(0)) / 2
    least = LEAST_VARIANCE * np.maximum(centre**2, LEAST_VARIANCE)
    scale = np.where(variance > least, variance, np.nan)
    first = (y_b * (y_ab - y_a)).mean(1) + (y_a * (y_ba - y_b)).mean(1)
    total = ((y_a - y_ab) ** 2).mean(1) + ((y_b - y_ba) ** 2).mean(1)
    # BA_i and AB_j share the columns i and j and no other: their product's mean is the variance of
    # the pair's closed effect, since the functions' means are taken off.
    pairs = [
        ((y_ba[i] * y_ab[j]).mean(0) + (y_ba[j] * y_ab[i]).mean(0)) / 2
        for i, j in combinations(range(factors), 2)
    ]
    shape = (len(pairs), y_a.shape[1])
    return Indices(
        first=first / 2 / scale,
        total=total / 4 / scale,
        pairs=np.array(pairs).reshape(shape) / scale,
        variance=variance,
        base=base,
    )


def _swapped(into: Floats, source: Floats, column: int) -> Floats:
    mixed = into.copy()
    mixed[:, column] = source[:, column]
    return mixed
