"""Bootstrap intervals over whole trajectories, for more than 20 of them.

A trajectory is drawn with all its levels, since they share seed and weights (cluster bootstrap).
At 20 and fewer the t-interval is the better one, and these functions refuse.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy import special

from analysis.statistics.intervals import Estimate, present

FEWEST = 21
"""Trajectories below which no bootstrap interval is given."""

DRAWS = 4000
"""Resamples: the ends of a 95 % interval then rest on the 100 outermost."""


def bca_interval(
    values: np.ndarray,
    statistic: Callable[[np.ndarray], float],
    *,
    rng: np.random.Generator,
    level: float = 0.95,
    draws: int = DRAWS,
) -> Estimate:
    """Returns a statistic of trajectories and its bias-corrected, accelerated interval.

    The first axis of ``values`` runs over trajectories and is resampled and jackknifed as one
    (Efron 1987, Better Bootstrap Confidence Intervals, eqs. 2.3 and 6.6). The statistic may give
    infinities, e.g. for a curve that never crosses; a draw in which it is NaN is left out.

    Raises:
        ValueError: if there are fewer than ``FEWEST`` trajectories.
    """
    n = _enough(len(values))
    observed = statistic(values)
    drawn = np.array([statistic(values[rng.integers(0, n, n)]) for _ in range(draws)])
    drawn = np.sort(drawn[~np.isnan(drawn)])
    if math.isnan(observed) or len(drawn) < draws / 2:
        return Estimate(observed, math.nan, math.nan, n)
    # Half of the ties count as below: a statistic that lies on a grid has many.
    below = (np.mean(drawn < observed) + np.mean(drawn <= observed)) / 2
    bias = special.ndtri(np.clip(below, 1 / draws, 1 - 1 / draws))
    left_out = np.array([statistic(np.delete(values, i, axis=0)) for i in range(n)])
    pull = _acceleration(left_out[np.isfinite(left_out)])
    z = bias + special.ndtri(np.array([(1 - level) / 2, (1 + level) / 2]))
    shares = special.ndtr(bias + z / (1 - pull * z))
    # Never interpolated: between a finite value and an infinite one there is nothing.
    low, high = np.quantile(drawn, shares, method="closest_observation")
    return Estimate(observed, float(low), float(high), n)


def studentised_interval(
    values: Sequence[float] | np.ndarray,
    *,
    rng: np.random.Generator,
    level: float = 0.95,
    draws: int = DRAWS,
) -> Estimate:
    """Returns the mean of one number per trajectory and its bootstrap-t interval.

    The bootstrap-t follows skewed numbers, as early-stopping steps are, where the t-interval leaves
    more on one side than on the other (Efron & Tibshirani 1993, An Introduction to the Bootstrap,
    section 12.5). Missing values are left out.

    Raises:
        ValueError: if there are fewer than ``FEWEST`` trajectories.
    """
    x = present(values)
    n = _enough(len(x))
    mean, error = x.mean(), x.std(ddof=1) / math.sqrt(n)
    drawn = x[rng.integers(0, n, (draws, n))]
    spread = drawn.std(axis=1, ddof=1)
    ok = spread > 0
    t = (drawn.mean(axis=1) - mean)[ok] / (spread[ok] / math.sqrt(n))
    upper, lower = np.quantile(t, [(1 + level) / 2, (1 - level) / 2]) if len(t) else (0.0, 0.0)
    return Estimate(float(mean), float(mean - upper * error), float(mean - lower * error), n)


def _acceleration(left_out: np.ndarray) -> float:
    gap = left_out.mean() - left_out if len(left_out) else left_out
    scale = float((gap**2).sum())
    return float((gap**3).sum() / (6 * scale**1.5)) if scale > 0 else 0.0


def _enough(n: int) -> int:
    if n < FEWEST:
        raise ValueError(f"a bootstrap needs at least {FEWEST} trajectories, got {n}")
    return n
