"""Means, paired differences and their 95 % t-intervals.

The unit is the trajectory: one number per replicate, never one per level or evaluation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats


class Estimate(NamedTuple):
    """A mean with its interval; what cannot be estimated is NaN."""

    mean: float
    """Mean over replicates; NaN if there are none."""
    low: float
    """Lower end of the 95 % t-interval; NaN below two replicates."""
    high: float
    """Upper end of the 95 % t-interval; NaN below two replicates."""
    n: int
    """Replicates with a value."""

    @property
    def verdict(self) -> str:
        """What the interval says about zero: higher, lower, unclear, or unknown without one."""
        if self.n < 2:
            return "unknown"
        if self.low > 0:
            return "higher"
        return "lower" if self.high < 0 else "unclear"


def mean_interval(values: Sequence[float] | pd.Series, level: float = 0.95) -> Estimate:
    """Returns the mean of independent values and its t-interval; missing values are left out."""
    x = np.asarray(values, dtype=float)
    x = x[~np.isnan(x)]
    if len(x) == 0:
        return Estimate(math.nan, math.nan, math.nan, 0)
    mean = float(x.mean())
    if len(x) == 1:
        return Estimate(mean, math.nan, math.nan, 1)
    half = float(stats.t.ppf((1 + level) / 2, len(x) - 1) * stats.sem(x))
    return Estimate(mean, mean - half, mean + half, len(x))


def paired_difference(a: pd.Series, b: pd.Series, level: float = 0.95) -> Estimate:
    """Returns the mean of ``a - b`` with its t-interval; the index names the replicates.

    Only replicates in both count. What the two networks of a replicate share adds the same to both
    and cancels in the difference. Ticket and dense network share split and initialisation, but not
    the data order, of which each level has its own. Ticket and reinitialised ticket share split,
    mask and data order, but not the initial weights. Ticket and random mask share split, data
    order and the density of each layer, but neither mask nor initial weights.
    """
    return mean_interval((a - b).dropna(), level)
