"""What lies between the densities that a trajectory reached: linear in log density.

Level k means another density when the pruning fraction changes, so trajectories are compared at
densities. Recorded values count where a density was reached exactly, and nothing is read beyond
what was reached.

Shape suffixes: L levels of a trajectory, W wanted densities.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

SAME = 1e-9
"""Relative difference below which two densities are one."""


class Between(NamedTuple):
    """Where wanted densities lie among those of a trajectory's levels; each of shape (W,)."""

    left: np.ndarray
    """The level at or above each; -1 where the density was not reached."""
    right: np.ndarray
    """The level below it."""
    share: np.ndarray
    """How far it is from left to right in log density, in [0, 1); 0 where it was reached."""

    def read(self, values: np.ndarray) -> np.ndarray:
        """Returns a measure of the levels at the wanted densities, NaN where they lie outside."""
        start = values[self.left]
        # Where a density was reached exactly, a neighbour without a value does not matter.
        way = np.where(self.share > 0, self.share * (values[self.right] - start), 0.0)
        return np.where(self.left >= 0, start + way, np.nan)


def falling(densities: np.ndarray) -> np.ndarray:
    """Returns the places of at least one density from dense down, each once.

    A level that removes nothing repeats a density: the first network of it counts.
    """
    order = np.argsort(-densities, kind="stable")
    density = densities[order]
    return order[np.append(True, density[1:] < density[:-1] * (1 - SAME))]


def between(densities: np.ndarray, wanted: np.ndarray, near: float = SAME) -> Between:
    """Returns where wanted densities lie; ``densities`` are at least one, and as of ``falling``.

    A wanted density beyond an end of the trajectory counts as that end, if they differ by no more
    than a share ``near`` of it. Counts of weights are rounded, and the output layer is pruned at
    half the rate: three levels of a fifth end at 51.28 %, which is what is there of 51.2 %.
    """
    first, last = densities[0], densities[-1]
    wanted = np.where((wanted > first) & (wanted <= first / (1 - near)), first, wanted)
    wanted = np.where((wanted < last) & (wanted >= last * (1 - near)), last, wanted)
    left = np.searchsorted(-densities, -wanted * (1 - SAME), side="right") - 1
    exact = (left >= 0) & np.isclose(densities[left], wanted, rtol=SAME, atol=0)
    right = np.minimum(left + 1, len(densities) - 1)
    left = np.where((right == left) & ~exact, -1, left)
    inner = (left >= 0) & ~exact
    share = np.zeros(len(wanted))
    a, b = np.log(densities[left[inner]]), np.log(densities[right[inner]])
    share[inner] = (np.log(wanted[inner]) - a) / (b - a)
    return Between(left, right, share)


def nearest_place(densities: ArrayLike, wanted: float) -> int:
    """Returns the place of the density nearest to a wanted one by ratio, of equals the first.

    Args:
        densities: at least one.
        wanted: where a value is asked for.
    """
    return int(logs_away(densities, wanted).argmin())


def logs_away(densities: ArrayLike, wanted: float) -> np.ndarray:
    """Returns how far densities are from a wanted one, as the size of the ratio's logarithm."""
    return np.abs(np.log(np.asarray(densities, float)) - np.log(wanted))


def interpolated(densities: ArrayLike, values: ArrayLike, wanted: ArrayLike) -> np.ndarray:
    """Returns a measure of one trajectory at wanted densities, NaN at those it did not reach.

    Of levels of equal density the first in ``densities`` counts; they need no order beside.
    """
    density, grid = np.asarray(densities, float), np.asarray(wanted, float)
    if not len(density):
        return np.full(len(grid), np.nan)
    order = falling(density)
    return between(density[order], grid).read(np.asarray(values, float)[order])
