"""What a replicate draws from a dataset beside its split: a subsample, noisy or renamed labels."""

from __future__ import annotations

import math

import numpy as np


def subsample(indices: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Returns floor(share * N), at least one, of N sorted indices (int64), sorted again."""
    count = max(1, math.floor(share * len(indices)))
    return np.sort(rng.permutation(indices)[:count])


def noisy(
    labels: np.ndarray, indices: np.ndarray, share: float, classes: int, rng: np.random.Generator
) -> np.ndarray:
    """Returns labels (int64, [N]) of which floor(share * len(indices)) at indices are wrong.

    A wrong label is one of the other classes, each as likely (symmetric noise).
    """
    changed = labels.copy()
    at = rng.permutation(indices)[: math.floor(share * len(indices))]
    changed[at] = (changed[at] + rng.integers(1, classes, len(at))) % classes
    return changed
