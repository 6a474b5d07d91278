"""Families of tests: p-values adjusted for how many there are.

NaN stands for a test that was not made: it stays NaN and is not counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import scipy


def holm(p: Sequence[float] | np.ndarray) -> np.ndarray:
    """Returns p-values adjusted so that any false rejection has probability alpha at most.

    Holm (1979), A Simple Sequentially Rejective Multiple Test Procedure; valid under any
    dependence. For confirmatory claims of one family.
    """
    return _of_tested(p, _step_down)


def benjamini_hochberg(p: Sequence[float] | np.ndarray) -> np.ndarray:
    """Returns p-values adjusted for the expected share of false ones among all rejections.

    Benjamini & Hochberg (1995), Controlling the False Discovery Rate; valid for independent or
    positively dependent tests. For exploratory findings.
    """
    return _of_tested(p, scipy.stats.false_discovery_control)


def _step_down(p: np.ndarray) -> np.ndarray:
    order = np.argsort(p, kind="stable")
    left = np.arange(len(p), 0, -1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(left * p[order]), 1.0)
    return adjusted


def _of_tested(
    p: Sequence[float] | np.ndarray, correct: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    adjusted = np.array(p, dtype=float)
    tested = ~np.isnan(adjusted)
    adjusted[tested] = correct(adjusted[tested])
    return adjusted
