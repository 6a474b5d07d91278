"""Contrasts of cells, paired by replicate: weighted sums of means whose weights sum to zero.

Each replicate has one number per cell (a setting of the hyperparameters); what the cells of a
replicate share, as its seed, cancels within it.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd


def contrast(cells: pd.DataFrame, weights: Mapping[str, float]) -> pd.Series:
    """Returns the weighted sum of each replicate's cells; only complete replicates count.

    ``cells`` has a row per replicate and a column per cell. ``mean_interval`` and the verdicts
    take the result.

    Raises:
        ValueError: if the weights do not sum to zero: that is no contrast, but a mean.
        KeyError: if a cell does not exist.
    """
    total = sum(weights.values())
    if abs(total) > 1e-9 * max(map(abs, weights.values()), default=1.0):
        raise ValueError(f"the weights of a contrast must sum to 0, got {total}")
    used = cells[list(weights)].astype(float).dropna()
    return used.mul(pd.Series(dict(weights), dtype=float)).sum(axis=1)


def interaction(
    a_high: pd.Series, a_low: pd.Series, b_high: pd.Series, b_low: pd.Series
) -> pd.Series:
    """Returns the difference of two paired differences, by replicate.

    E.g. what warmup adds at a high learning rate, less what it adds at a low one:
    ``(a_high - a_low) - (b_high - b_low)``. The index names the replicates.
    """
    cells = pd.DataFrame({"a_high": a_high, "a_low": a_low, "b_high": b_high, "b_low": b_low})
    return contrast(cells, {"a_high": 1, "a_low": -1, "b_high": -1, "b_low": 1})
