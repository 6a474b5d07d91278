"""What a replicate draws from a dataset beside its split: a subsample, noisy or renamed labels."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np


def counted(share: float, total: int) -> int:
    """Returns floor(share * total) with the share as it is written: 0.29 of 100 are 29."""
    return math.floor(Fraction(str(share)) * total)


def subsample(indices: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Returns floor(share * N), at least one, of N sorted indices (int64), sorted again.

    A smaller share of the same stream is part of a larger one.
    """
    count = max(1, counted(share, len(indices)))
    return np.sort(rng.permutation(indices)[:count])


def mislabelled(
    labels: np.ndarray, indices: np.ndarray, share: float, classes: int, rng: np.random.Generator
) -> np.ndarray:
    """Returns labels (int64, [N]) of which floor(share * len(indices)) at indices are wrong.

    A wrong label is one of the other classes, each as likely (symmetric noise). What a smaller
    share changes, a larger one of the same stream changes alike.
    """
    changed = labels.copy()
    at = rng.permutation(indices)[: counted(share, len(indices))]
    changed[at] = (changed[at] + rng.integers(1, classes, len(at))) % classes
    return changed
