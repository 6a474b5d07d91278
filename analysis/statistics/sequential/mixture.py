"""The e-process of the t statistic, for paired differences that are nearly normal.

The standardised mean d = mean / deviation has a normal prior of variance g on the side that is
tested, the deviation the right-Haar prior: the Bayes factor against d = 0 is a martingale of the
differences in units of the first (Lai 1976, On confidence sequences; Pérez-Ortiz, Lardy, de Heide
& Grünwald 2024, E-statistics, group invariance and anytime-valid testing). It rises with t, and a
mean further on the null's side lowers every t of a path, so that it is valid for all means there
(Wang & Ramdas 2024, Anytime-valid t-tests, has the two-sided sequence).

Shape suffix: R replicates, in the order in which they are looked at.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Literal, NamedTuple

import numpy as np
from scipy import special

from analysis.statistics.intervals import Estimate
from analysis.statistics.sequential.looks import FIRST_LOOK, from_first_look

OneSide = Literal["greater", "less"]
"""What is looked for: a location above the null, or below it."""
PRIOR_VARIANCE = 1.0
"""g: of 1, 4 and 9 the one with most power at d = .5 and .75, where most replicates are spent; at
d = 3 and 4 it takes half a replicate more (``docs/decisions.md``)."""
HALVINGS = 48
"""Of the interval in which a bound on t is looked for."""


class Running(NamedTuple):
    """Sums over the values so far, missing ones left out."""

    counts: np.ndarray
    mean: np.ndarray
    within: np.ndarray
    """Sum of squared deviations from the mean so far."""
    is_noisy: np.ndarray
    """Whether there are two that differ by more than rounding does."""


def t_process(values: np.ndarray, *, null: float = 0.0, side: OneSide) -> np.ndarray:
    """Returns log e-values of a mean on one side of ``null``, after each replicate.

    Args:
        values: one number per replicate; NaN is missing, and leaves the evidence as it was.
        null: any finite number, in their unit.
        side: where the mean is if not at the null or on its other side.
    """
    x_R = np.asarray(values, dtype=float) - null
    found = running(-x_R if side == "less" else x_R)
    n, g = found.counts, PRIOR_VARIANCE
    with np.errstate(divide="ignore", invalid="ignore"):
        t_R = found.mean * np.sqrt(n * (n - 1) / found.within)
        log_e_R = _log_e(t_R, n, g)
    return from_first_look(np.where(found.is_noisy, log_e_R, -np.inf), n)


def t_sequence(values: np.ndarray, level: float = 0.95) -> Estimate:
    """Returns the mean and its confidence sequence after the last replicate.

    The intersection of the intervals of all looks so far, each from ``t_process`` at half of
    1 - level on each side: it holds the mean at all times with probability ``level``, and never
    grows. Where nothing is left of it, or before the first look, the ends are NaN.
    """
    x_R = np.asarray(values, dtype=float)
    found = running(x_R)
    n = int(found.counts[-1]) if len(x_R) else 0
    if n == 0:
        return Estimate(math.nan, math.nan, math.nan, 0)
    mean = float(found.mean[-1])
    looks = found.is_noisy & (found.counts >= FIRST_LOOK)
    if not looks.any():
        return Estimate(mean, math.nan, math.nan, n)
    count = found.counts[looks]
    bounds = t_bounds(n, round((1 - level) / 2, 12))[count - 2]
    half = bounds * np.sqrt(found.within[looks] / (count * (count - 1)))
    low = float((found.mean[looks] - half).max())
    high = float((found.mean[looks] + half).min())
    return Estimate(mean, *((low, high) if low <= high else (math.nan, math.nan)), n)


@cache
def t_bounds(most: int, alpha: float) -> np.ndarray:
    """Returns the t at which the evidence on one side is 1 / alpha, for each n from 2 to ``most``.

    Infinite where no t is enough; alpha is in (0, 1).
    """
    n = np.arange(2, most + 1)
    # t / sqrt(v + t^2), which lies between 0 and 1.
    low, high = np.zeros(len(n)), np.ones(len(n))
    for _ in range(HALVINGS):
        half = (low + high) / 2
        t = half * np.sqrt((n - 1) / (1 - half * half))
        enough = _log_e(t, n, PRIOR_VARIANCE) >= -math.log(alpha)
        low, high = np.where(enough, low, half), np.where(enough, half, high)
    with np.errstate(divide="ignore"):
        return high * np.sqrt((n - 1) / (1 - high * high))


def running(values: np.ndarray) -> Running:
    """Returns the sums over the values so far."""
    x_R = np.asarray(values, dtype=float)
    there = ~np.isnan(x_R)
    n_R = np.cumsum(there)
    first = x_R[there][0] if there.any() else 0.0
    # From the first one: squares of what they have in common would hide how they differ.
    z_R = np.where(there, x_R - first, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_R = np.cumsum(z_R) / n_R
        within_R = np.cumsum(z_R * z_R) - n_R * mean_R * mean_R
    spread = np.maximum.accumulate(z_R) - np.minimum.accumulate(z_R)
    size = np.maximum.accumulate(np.where(there, np.abs(x_R), 0.0))
    return Running(n_R, mean_R + first, within_R, (n_R > 1) & (spread > 1e-12 * size))


def _log_e(t: np.ndarray, n: np.ndarray, g: float) -> np.ndarray:
    """Returns the log Bayes factor on one side: that of both, times twice the share of d above 0.

    Given the values, d over its posterior deviation has Student's distribution with n degrees.
    """
    wide, ratio = 1 + n * g, t * t / (n - 1)
    both = -np.log(wide) / 2 + n / 2 * (np.log1p(ratio) - np.log1p(ratio / wide))
    place = n * math.sqrt(g) * t / np.sqrt(wide * (n - 1) * (1 + ratio / wide))
    with np.errstate(divide="ignore"):
        return both + math.log(2) + np.log(special.stdtr(n, place))
