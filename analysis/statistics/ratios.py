"""Ratios, on the log scale, and numbers that a paper states.

Early-stopping steps are compared by ratio: 1.1 is as far from 1 as 1 / 1.1 is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.statistics.intervals import Estimate, mean_interval


def ratio_interval(
    log_ratios: Sequence[float] | np.ndarray | pd.Series, level: float = 0.95
) -> Estimate:
    """Returns the geometric mean of ratios and its t-interval, from their natural logarithms."""
    estimate = mean_interval(log_ratios, level)
    mean, low, high = map(ratio_of, estimate[:3])
    return Estimate(mean, low, high, estimate.n)


def ratio_of(logarithm: float) -> float:
    """Returns the ratio of a natural logarithm, infinite where it is beyond all numbers."""
    try:
        return math.exp(logarithm)
    except OverflowError:
        return math.inf


def zone(number: float, tolerance: float = 0.25, *, log: bool = False) -> tuple[float, float]:
    """Returns what counts as agreeing with a stated number: within a share of it, by default 25 %.

    Of a ratio (``log``) as natural logarithms.

    Raises:
        ValueError: if the number is 0, which has no share, a ratio is not positive, or the
            tolerance is not in (0, 1).
    """
    if number == 0 or not 0 < tolerance < 1:
        raise ValueError(
            "a zone needs a number other than 0 and a tolerance in (0, 1), "
            f"got {number} and {tolerance}"
        )
    ends = number * (1 - tolerance), number * (1 + tolerance)
    if not log:
        return min(ends), max(ends)
    if number <= 0:
        raise ValueError(f"a ratio must be > 0, got {number}")
    return math.log(ends[0]), math.log(ends[1])
