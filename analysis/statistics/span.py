"""How far values of a hyperparameter lie apart: what may be said where no difference is seen.

A difference that is not significant may be large and badly measured. Two one-sided tests (TOST,
Schuirmann 1987; Lakens 2017, Equivalence Tests) show that it lies within a margin that was fixed
before. "Robust to X" needs it for every value of X at once, which costs no correction: all tests
must succeed (intersection-union, Berger 1982).

Shape suffixes: R replicates, V values of a hyperparameter, P pairs of values.
"""

from __future__ import annotations

import math
from itertools import combinations
from typing import NamedTuple

import numpy as np

from analysis.statistics.bands import simultaneous_band
from analysis.statistics.intervals import mean_interval, t_test


class Span(NamedTuple):
    """Difference between the best and the worst value of a hyperparameter."""

    span: float
    """Largest difference of two means, >= 0; larger than the true one by about the noise."""
    low: float
    """Lower end: the largest lower end of all pairwise simultaneous intervals, at least 0."""
    high: float
    """Upper one-sided bound: the largest of all pairwise bounds, each of level 1 - alpha."""
    n: int
    """Replicates with every value."""
    dropped: int
    """Replicates that lack one, and are left out."""
    p_within: float
    """p of the claim that all values lie within ``margin`` of each other."""
    p_beyond: float
    """Adjusted p of the claim that two of them differ by more."""
    pair: tuple[int, int]
    """Columns of the highest and the lowest mean."""


def span(
    values: np.ndarray,
    *,
    margin: float,
    alpha: float = 0.05,
    rng: np.random.Generator | None = None,
) -> Span:
    """Returns how far the means of a hyperparameter's values lie apart, paired by replicate.

    The span is a maximum over pairs. It is within the margin if every pair is, at level alpha and
    without correction; it is beyond if one pair is, under the simultaneous band of all pairs.

    Raises:
        ValueError: if the margin is not positive, there are fewer than two values, or as
            ``simultaneous_band``.
    """
    if not margin > 0:
        raise ValueError(f"margin must be > 0, got {margin}")
    x_RV = np.asarray(values, dtype=float)
    if x_RV.ndim != 2 or x_RV.shape[1] < 2:
        raise ValueError(f"a span needs two values or more, got an array of shape {x_RV.shape}")
    whole_RV = x_RV[~np.isnan(x_RV).any(axis=1)]
    n, dropped = len(whole_RV), len(x_RV) - len(whole_RV)
    if n < 2:
        nan = math.nan
        return Span(nan, nan, nan, n, dropped, nan, nan, (0, 0))
    mean_V = whole_RV.mean(axis=0)
    # Each pair in the direction in which it was found: the other one is the band's other end.
    pairs = [
        (i, j) if mean_V[i] >= mean_V[j] else (j, i)
        for i, j in combinations(range(x_RV.shape[1]), 2)
    ]
    gap_RP = np.stack([whole_RV[:, i] - whole_RV[:, j] for i, j in pairs], axis=1)
    band = simultaneous_band(gap_RP, level=1 - alpha, rng=rng)
    bounds = [mean_interval(gap, 1 - 2 * alpha).most for gap in gap_RP.T]
    within = [t_test(gap, null=margin, side="less") for gap in gap_RP.T]
    beyond = beyond_margin(gap_RP, margin=margin, alpha=alpha, rng=rng)
    widest = int(gap_RP.mean(axis=0).argmax())
    low = max(0.0, float(np.nanmax(band.low)))
    high = float(np.nanmax(bounds))
    p_within = max(within) if not np.isnan(within).any() else math.nan
    estimate = float(gap_RP.mean(axis=0)[widest])
    return Span(estimate, low, high, n, dropped, p_within, _least(beyond), pairs[widest])


def beyond_margin(
    gaps: np.ndarray,
    *,
    margin: float,
    alpha: float = 0.05,
    rng: np.random.Generator | None = None,
) -> np.ndarray:
    """Returns adjusted p-values of |mean| > margin, dual to the simultaneous band of all columns.

    A p is at most alpha where the band lies outside of (-margin, margin), and nowhere else.
    """
    mean_P = np.nanmean(gaps, axis=0)
    null_P = np.where(mean_P > 0, margin, -margin)
    band = simultaneous_band(gaps, level=1 - alpha, null=null_P, rng=rng)
    # A mean within the margin is no evidence of being beyond, however far from its edge.
    return np.where(np.abs(mean_P) > margin, band.p, np.where(np.isnan(band.p), np.nan, 1.0))


def _least(p: np.ndarray) -> float:
    return float(np.nanmin(p)) if not np.isnan(p).all() else math.nan
