"""An interval for the strength of a trend that says what Page's test says.

Under no trend all orders of a replicate's ranks are equally likely. Orders that rise are made more
likely by a factor exp(theta L), L being Page's statistic: the model of Mallows with Spearman's
distance (Diaconis 1988, chapter 6). Each theta has a distribution of L and an expected rank
correlation, and the interval holds the thetas that the exact test of L does not reject (Clopper and
Pearson's construction). It never leaves [-1, 1], and its lower end is above 0 where Page's p is
below its tail. It is an interval of the mean correlation if the replicates share one trend; a
mixture of rising and falling ones varies more.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import scipy
from scipy import special

STEEPEST = 60.0
"""Greatest theta that is tried: sums of ranks differ by a half, so by then one order is left."""


class Ends(NamedTuple):
    """The ends of an interval."""

    low: float
    high: float


def tilted_interval(null: Mapping[int, float], seen: int, level: float = 0.9) -> Ends:
    """Returns the interval of the mean of a statistic under the tilt of its null distribution.

    Args:
        null: value -> probability, where there is no trend.
        seen: the value that was seen, one of them.
        level: of the interval; each tail has half of the rest.

    Nothing bounds it on the side on which no value lies beyond the one that was seen. Where the
    null distribution was drawn it is too wide for the greatest values: what lies beyond was not
    drawn.
    """
    value = np.array(sorted(null), dtype=float)
    with np.errstate(divide="ignore"):
        share = np.log([null[int(one)] for one in value])
    tail = (1 - level) / 2

    def mean(theta: float) -> float:
        return float(special.softmax(share + theta * (value - seen)) @ value)

    def excess(beyond: np.ndarray) -> Callable[[float], float]:
        return lambda theta: (
            float(special.softmax(share + theta * (value - seen))[beyond].sum()) - tail
        )

    low, high = -math.inf, math.inf
    if seen > value[0]:
        low = mean(_root(excess(value >= seen)))
    if seen < value[-1]:
        high = mean(_root(excess(value <= seen)))
    return Ends(low, high)


def _root(function: Callable[[float], float]) -> float:
    return float(scipy.optimize.root_scalar(function, bracket=(-STEEPEST, STEEPEST)).root)
