"""Trends over ordered values, with replicates as blocks.

"The higher the learning rate, the deeper the drop" orders the values before the data are seen.
Page's test asks whether each replicate's ranks rise with that order; it needs no equal steps and no
normal errors.

Shape suffixes: R replicates, V ordered values.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from itertools import permutations
from typing import NamedTuple

import numpy as np
import scipy

from analysis.statistics.intervals import Estimate
from analysis.statistics.rank_interval import Ends, tilted_interval

MOST_ENUMERATED = 7
"""Values up to which all orders of a replicate's ranks are enumerated: 5,040 of them."""

Ranks = tuple[tuple[float, ...], ...]
"""For each replicate, its ranks from the lowest to the highest."""


class Trend(NamedTuple):
    """Page's test of a rising trend, and how strong the trend is."""

    statistic: float
    """Page's L: sum over values of their place in the order times their sum of ranks."""
    p: float
    """One-sided p of a rising trend."""
    p_falling: float
    """One-sided p of a falling one."""
    correlation: Estimate
    """Page's L scaled to [-1, 1], with its ``tilted_interval``: the mean over replicates of the
    rank correlation with the order, in which equal values count as no order."""
    n: int
    """Complete replicates."""
    exact: bool
    """True if p comes from all orders of the ranks, False if from drawn ones."""


def page_trend(
    values: np.ndarray,
    *,
    level: float = 0.9,
    rng: np.random.Generator | None = None,
    draws: int = 99_999,
) -> Trend:
    """Tests that values rise from the first column to the last (Page 1963).

    Replicates with a missing value are left out. Ties share their mean rank, and the test stays
    exact with them: the null distribution permutes the ranks that were seen. To test a fall,
    negate the values or read ``p_falling``. The interval of the correlation, of a given ``level``,
    lies above 0 where p is below half of the rest.

    Raises:
        ValueError: if there are fewer than three values, or more than ``MOST_ENUMERATED`` and no
            generator.
    """
    x_RV = np.asarray(values, dtype=float)
    x_RV = x_RV[~np.isnan(x_RV).any(axis=1)]
    n, k = x_RV.shape
    if k < 3:
        raise ValueError(f"a trend needs three values or more, got {k}")
    if n == 0:
        none = Estimate(math.nan, math.nan, math.nan, 0)
        return Trend(math.nan, math.nan, math.nan, none, 0, False)
    rank_RV = scipy.stats.rankdata(x_RV, axis=1)
    statistic = float((rank_RV @ np.arange(1, k + 1)).sum())
    exact = k <= MOST_ENUMERATED
    seen = round(2 * statistic)
    if exact:
        ranks = tuple(map(tuple, np.sort(rank_RV, axis=1).tolist()))
        null, (low, high) = _exact(ranks), _exact_interval(ranks, seen, level)
    else:
        null = _drawn(rank_RV, rng, draws)
        low, high = tilted_interval(null, seen, level)
    rising = sum(share for value, share in null.items() if value >= seen)
    falling = sum(share for value, share in null.items() if value <= seen)
    # Between the L of equal ranks and that of n rising orders: 0 and 1.
    middle, reach = n * k * (k + 1) ** 2 / 4, n * k * (k * k - 1) / 12
    found = [(one - middle) / reach for one in (statistic, low / 2, high / 2)]
    correlation = Estimate(found[0], max(found[1], -1.0), min(found[2], 1.0), n)
    return Trend(statistic, min(rising, 1.0), min(falling, 1.0), correlation, n, exact)


@lru_cache(maxsize=64)  # Without ties it is the same for all studies of a size.
def _exact(ranks: Ranks) -> Mapping[int, float]:
    """Returns the null distribution of 2 L: mean ranks are halves, so 2 L is whole."""
    total = {0: 1.0}
    orders: dict[tuple[float, ...], dict[int, float]] = {}
    for row in ranks:
        if row not in orders:
            sums = 2 * np.array(list(permutations(row))) @ np.arange(1, len(row) + 1)
            found, counts = np.unique(sums.round().astype(int), return_counts=True)
            orders[row] = dict(zip(found.tolist(), counts / counts.sum(), strict=True))
        grown: dict[int, float] = {}
        for left, share in total.items():
            for right, other in orders[row].items():
                grown[left + right] = grown.get(left + right, 0.0) + share * other
        total = grown
    return total


@lru_cache(maxsize=1024)
def _exact_interval(ranks: Ranks, seen: int, level: float) -> Ends:
    return tilted_interval(_exact(ranks), seen, level)


def _drawn(ranks: np.ndarray, rng: np.random.Generator | None, draws: int) -> dict[int, float]:
    if rng is None:
        raise ValueError(f"beyond {MOST_ENUMERATED} values orders are drawn: a generator is needed")
    order_V = np.arange(1, ranks.shape[1] + 1)
    sums = np.zeros(draws)
    for row in ranks:
        sums += rng.permuted(np.broadcast_to(row, (draws, len(row))), axis=1) @ order_V
    # What was seen counts as one of the draws, so p is never 0.
    sums = np.append(sums, (ranks @ order_V).sum())
    found, counts = np.unique((2 * sums).round().astype(int), return_counts=True)
    return dict(zip(found.tolist(), counts / counts.sum(), strict=True))
