"""Which value is best: a set that holds the best one with 95 % confidence.

The value of highest mean is often not the best one, only the luckiest. A value is left out of the
set if some other one is better, under a one-sided simultaneous test of all others against it,
paired by replicate (Hsu 1996, Multiple Comparisons, section 4.2). The best value is left out with
probability alpha at most, so the values need no further correction between them.

Shape suffixes: R replicates, V values of a hyperparameter.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from analysis.statistics.bands import simultaneous_band


class BestSet(NamedTuple):
    """The values that may be the best, and why the others are not."""

    included: np.ndarray
    """Whether the value is in the set."""
    p: np.ndarray
    """Adjusted p of the claim that some other value is better; NaN if no difference varies."""
    mean: np.ndarray
    """Mean over complete replicates."""
    best: int
    """Column of the highest mean."""
    n: int
    """Replicates with every value."""
    dropped: int
    """Replicates that lack one, and are left out."""


def best_set(
    values: np.ndarray,
    *,
    alpha: float = 0.05,
    rng: np.random.Generator | None = None,
) -> BestSet:
    """Returns the confidence set of the best value, of level 1 - alpha; more is better.

    Below two complete replicates every value is in the set.

    Raises:
        ValueError: if there are fewer than two values, or as ``simultaneous_band``.
    """
    x_RV = np.asarray(values, dtype=float)
    if x_RV.ndim != 2 or x_RV.shape[1] < 2:
        raise ValueError(f"a best value needs two or more, got an array of shape {x_RV.shape}")
    whole_RV = x_RV[~np.isnan(x_RV).any(axis=1)]
    n, dropped, num_values = len(whole_RV), len(x_RV) - len(whole_RV), x_RV.shape[1]
    if n < 2:
        unknown_V = np.full(num_values, np.nan)
        return BestSet(np.ones(num_values, bool), unknown_V, unknown_V, 0, n, dropped)
    p = []
    for value in range(num_values):
        lead_RV = np.delete(whole_RV, value, axis=1) - whole_RV[:, [value]]
        band = simultaneous_band(lead_RV, level=1 - alpha, side="greater", rng=rng)
        p.append(math.nan if np.isnan(band.p).all() else float(np.nanmin(band.p)))
    p_V, mean_V = np.array(p), whole_RV.mean(axis=0)
    return BestSet(~(p_V <= alpha), p_V, mean_V, int(mean_V.argmax()), n, dropped)
