"""Means, paired differences, their t-intervals and t-tests.

The unit is the trajectory: one number per replicate, never one per level or evaluation. The
t-interval covers as promised at every n for numbers that are nearly normal; the percentile
bootstrap of 5 replicates covers 83 % where it says 95 %, and is not offered.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from scipy import special

Side = Literal["two", "greater", "less"]
"""What a test looks for: a mean that differs from the null, is above it, or below it."""


class Estimate(NamedTuple):
    """A mean with its interval; what cannot be estimated is NaN."""

    mean: float
    """Mean over replicates; NaN if there are none."""
    low: float
    """Lower end of the 95 % t-interval; NaN below two replicates, and where they do not differ."""
    high: float
    """Upper end of the 95 % t-interval; NaN where there is no lower one."""
    n: int
    """Replicates with a value."""

    @property
    def alike(self) -> bool:
        """Whether there are several values, all the same: of their spread nothing is known."""
        return self.n > 1 and math.isnan(self.high)

    @property
    def most(self) -> float:
        """The upper end; of values that are all the same, which have none, the mean."""
        return self.mean if self.alike else self.high

    @property
    def verdict(self) -> str:
        """What the interval says about zero: higher, lower, unclear, or unknown without one."""
        if self.n < 2 or self.alike:
            return "unknown"
        if self.low > 0:
            return "higher"
        return "lower" if self.high < 0 else "unclear"


def mean_interval(
    values: Sequence[float] | np.ndarray | pd.Series, level: float = 0.95
) -> Estimate:
    """Returns the mean of independent values and its t-interval; missing values are left out.

    Values that do not differ have no interval: one of no width would say that nothing is uncertain.
    """
    x = present(values)
    if len(x) == 0:
        return Estimate(math.nan, math.nan, math.nan, 0)
    mean = float(x.mean())
    if not is_noisy(x):
        return Estimate(mean, math.nan, math.nan, len(x))
    half = float(special.stdtrit(len(x) - 1, (1 + level) / 2) * standard_error(x))
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


def t_test(
    values: Sequence[float] | np.ndarray | pd.Series, *, null: float = 0.0, side: Side = "two"
) -> float:
    """Returns the p-value of Student's t-test that the mean is ``null``.

    NaN below two values, and where the values do not differ at all: without noise there is nothing
    to judge a difference by. Missing values are left out.
    """
    x = present(values)
    if not is_noisy(x):
        return math.nan
    t = (x.mean() - null) / standard_error(x)
    return float(tail(t, len(x) - 1, side))


def tail(t: np.ndarray | float, df: np.ndarray | float, side: Side) -> np.ndarray:
    """Returns the p-values of t statistics with ``df`` degrees of freedom."""
    if side == "two":
        return 2 * special.stdtr(df, -np.abs(t))
    return special.stdtr(df, -np.asarray(t) if side == "greater" else t)


def standard_error(x: np.ndarray) -> float:
    """Returns the standard error of the mean of two independent values or more."""
    return float(x.std(ddof=1)) / math.sqrt(len(x))


def present(values: Sequence[float] | np.ndarray | pd.Series) -> np.ndarray:
    """Returns the values that are not missing, as an array of floats."""
    x = np.asarray(values, dtype=float)
    return x[~np.isnan(x)]


def is_noisy(x: np.ndarray) -> bool:
    """Returns whether there are two values or more that differ by more than rounding does."""
    return len(x) > 1 and float(np.ptp(x)) > 1e-12 * float(np.abs(x).max())
