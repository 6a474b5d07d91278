"""Proportions: how many of n did something, as trajectories that diverged."""

from __future__ import annotations

import math

from scipy import special

from analysis.statistics.intervals import Estimate


def proportion_interval(count: int, n: int, level: float = 0.95) -> Estimate:
    """Returns a share and its score interval (Wilson 1927), which stays in [0, 1].

    0 of 10 has an upper end of .28: ten trajectories without divergence are little evidence that
    none diverges.

    Raises:
        ValueError: if ``count`` is not in [0, n].
    """
    if not 0 <= count <= n:
        raise ValueError(f"count must be in [0, {n}], got {count}")
    if n == 0:
        return Estimate(math.nan, math.nan, math.nan, 0)
    z = float(special.ndtri((1 + level) / 2))
    share = count / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    # Rounding alone would leave 0 of n a lower end of 1e-17.
    low = 0.0 if count == 0 else centre - half
    return Estimate(share, low, 1.0 if count == n else centre + half, n)
