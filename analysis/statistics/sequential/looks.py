"""At which replicates evidence is looked at, and what all looks together say."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import special

FIRST_LOOK = 5
"""Values before which nothing is decided: on fewer only effects of three deviations could be, and
no rule is robust to noise that is not normal (``docs/decisions.md``)."""


def from_first_look(log_e: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Returns a path of log e-values, minus infinity before the first look.

    Not to look at a replicate is allowed whatever it would have said, so that a path may lack any.
    """
    return np.where(counts >= FIRST_LOOK, log_e, -np.inf)


def averaged(paths: Sequence[np.ndarray]) -> np.ndarray:
    """Returns the mean of several e-values at each of the same replicates.

    A mean of e-values is one under any dependence (Vovk & Wang 2021, E-values: calibration,
    combination and applications, section 3, where no other symmetric merging is better). It tests
    that all nulls are true. The largest of several is no e-value.
    """
    return special.logsumexp(np.stack(list(paths)), axis=0) - math.log(len(paths))


def ever(log_e: np.ndarray) -> float:
    """Returns the anytime-valid p-value of a path: the least 1 / e so far, in [0, 1].

    At any time, however it was chosen, it is at most alpha with probability alpha where the null is
    true (Ville's inequality; Ramdas et al. 2023, Game-theoretic statistics and safe anytime-valid
    inference).
    """
    return float(min(1.0, np.exp(-log_e.max(initial=0.0))))


def latest(log_e: np.ndarray) -> float:
    """Returns the e-value at the last replicate, >= 0: what a family is corrected by."""
    with np.errstate(over="ignore"):
        return float(np.exp(log_e[-1])) if len(log_e) else 0.0


def p_of(e: float) -> float:
    """Returns the p-value that an e-value gives: 1 / e, in [0, 1]."""
    return min(1.0, 1 / max(e, 1e-300))
