"""Expected best of k random trials: what a tuning budget buys.

For trials that were drawn independently from one distribution, as of a random or scrambled
quasi-random design: the trials of an adaptive search are neither, and have no such curve.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import special

from analysis.statistics.intervals import present


class BestOfK(NamedTuple):
    """A curve over budgets with its bootstrap band."""

    k: np.ndarray
    """Budgets in trials: 1, 2, ... up to half of those that there are."""
    expected: np.ndarray
    """Expected best of k, unbiased."""
    low: np.ndarray
    """Lower end of the pointwise 95 % bootstrap interval over trials."""
    high: np.ndarray
    """Upper end."""
    n: int
    """Trials."""


def expected_best(values: Sequence[float] | np.ndarray, k: int) -> float:
    """Returns the expected maximum of k trials, from n of them; more is better.

    The mean maximum over all subsets of k (Tang et al. 2020, Showing Your Work Doesn't Always Work,
    eq. 4), which is unbiased; that of k draws from the n with replacement (Dodge et al. 2019, Show
    Your Work, eq. 7) is too low.

    Raises:
        ValueError: if k is not in [1, n].
    """
    x = np.sort(present(values))
    if not 1 <= k <= len(x):
        raise ValueError(f"k must be in [1, {len(x)}], got {k}")
    return float(x @ _weights(len(x), k))


def best_of_k(
    values: Sequence[float] | np.ndarray, *, rng: np.random.Generator, draws: int = 2000
) -> BestOfK:
    """Returns the unbiased curve for k up to n / 2: beyond, it rests on the few best trials."""
    x = np.sort(present(values))
    n = len(x)
    k = np.arange(1, n // 2 + 1)
    weights = np.array([_weights(n, int(one)) for one in k]).reshape(len(k), n)
    drawn = np.sort(x[rng.integers(0, n, (draws, n))], axis=1) if n else np.empty((draws, 0))
    low, high = np.quantile(drawn @ weights.T, [0.025, 0.975], axis=0)
    return BestOfK(k, weights @ x, low, high, n)


def _weights(n: int, k: int) -> np.ndarray:
    """Returns the share of all subsets of k whose maximum is the i-th smallest of n."""
    i = np.arange(1, n + 1)
    log = special.gammaln(np.maximum(i, k)) - special.gammaln(np.maximum(i - k, 0) + 1)
    share = np.exp(log - special.gammaln(k) - _log_choose(n, k))
    return np.where(i >= k, share, 0.0)


def _log_choose(n: int, k: int) -> float:
    return float(special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1))
