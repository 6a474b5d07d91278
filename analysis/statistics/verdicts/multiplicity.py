"""Families of tests: p-values adjusted for how many there are.

NaN stands for a test that was not made: it stays NaN and is not counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np


def holm(p: Sequence[float] | np.ndarray) -> np.ndarray:
    """Returns p-values adjusted so that any false rejection has probability alpha at most.

    Holm (1979), A Simple Sequentially Rejective Multiple Test Procedure; valid under any
    dependence. For confirmatory claims of one family.
    """
    return _adjusted(p, lambda ranked: np.maximum.accumulate(_counts(ranked)[::-1] * ranked))


def benjamini_hochberg(p: Sequence[float] | np.ndarray) -> np.ndarray:
    """Returns p-values adjusted for the expected share of false ones among all rejections.

    Benjamini & Hochberg (1995), Controlling the False Discovery Rate; valid for independent or
    positively dependent tests. For exploratory findings.
    """

    def step_up(ranked: np.ndarray) -> np.ndarray:
        scaled = len(ranked) / _counts(ranked) * ranked
        return np.minimum.accumulate(scaled[::-1])[::-1]

    return _adjusted(p, step_up)


def _counts(ranked: np.ndarray) -> np.ndarray:
    return np.arange(1, len(ranked) + 1)


def _adjusted(
    p: Sequence[float] | np.ndarray, step: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    values = np.asarray(p, dtype=float)
    adjusted = np.full_like(values, np.nan)
    tested = np.flatnonzero(~np.isnan(values))
    order = tested[np.argsort(values[tested], kind="stable")]
    adjusted[order] = np.minimum(step(values[order]), 1.0)
    return adjusted
