"""At which density a mean curve falls below a level, with an interval on the log scale.

"Tickets win down to 3.6 %" is such a number. Up to 20 replicates the interval inverts the
simultaneous band: wherever the whole true curve lies inside the band, its crossing lies between the
crossings of the band's edges, so the interval covers at least as often as the band. Beyond, it is a
BCa bootstrap over trajectories, which is narrower.

Shape suffixes: R replicates, L densities.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from analysis.statistics.bands import FLIPS, simultaneous_band
from analysis.statistics.bootstrap import DRAWS, bca_interval
from analysis.statistics.bootstrap import FEWEST as FEWEST_FOR_BOOTSTRAP


class Threshold(NamedTuple):
    """A density in (0, 1] with its interval; an end that lies off the grid is censored.

    A value that is censored below stands at the grid's lowest density and means "at most that"; one
    that is censored above stands at the highest and means "at least that".
    """

    density: float
    low: float
    high: float
    censored: tuple[str, str, str]
    """For density, low and high: "" where it was crossed, else "below" or "above" the grid."""
    n: int
    """Replicates that reach the grid's first density."""
    method: str
    """band: inversion of the simultaneous band; bootstrap: BCa over trajectories."""


def crossing(
    densities: np.ndarray, curve: np.ndarray, level: float, *, last: bool = False
) -> float:
    """Returns the log density at which a curve first falls below a level, from dense on down.

    With ``last``, the lowest density at which it is not below. Linear in log density between the
    points; missing points are left out. -inf if it never falls below, inf if it always is.
    """
    ok_L = ~np.isnan(curve)
    order = np.argsort(-densities[ok_L])
    x_L, y_L = np.log(densities[ok_L][order]), curve[ok_L][order]
    below_L = y_L < level
    if not len(y_L):
        return math.nan
    if below_L[-1 if last else 0] == (not last):
        return math.inf if not last else -math.inf
    changes = np.flatnonzero(below_L[1:] & ~below_L[:-1])
    if not len(changes):
        return math.inf if last else -math.inf
    i = int(changes[-1 if last else 0])
    share = (y_L[i] - level) / (y_L[i] - y_L[i + 1])
    return float(x_L[i] + share * (x_L[i + 1] - x_L[i]))


def threshold(
    densities: np.ndarray,
    values: np.ndarray,
    level: float,
    *,
    last: bool = False,
    confidence: float = 0.95,
    rng: np.random.Generator | None = None,
    flips: int = FLIPS,
    draws: int = DRAWS,
) -> Threshold:
    """Returns where the mean over replicates falls below ``level``: see ``crossing``.

    For the density down to which tickets match within a margin, pass gains and ``-margin``.
    Densities that fewer than two replicates reach are left out: the curve ends before them.

    Raises:
        ValueError: if there are fewer than two replicates at every density, or a generator is
            needed and missing.
    """
    x_RL, densities = np.asarray(values, dtype=float), np.asarray(densities, dtype=float)
    used_L = (~np.isnan(x_RL)).sum(axis=0) > 1
    if not used_L.any():
        raise ValueError("a threshold needs two replicates or more")
    x_RL, densities = x_RL[:, used_L], densities[used_L]
    n = int((~np.isnan(x_RL[:, densities.argmax()])).sum())

    def place(sample: np.ndarray) -> float:
        count_L = (~np.isnan(sample)).sum(axis=0)
        sums_L = np.nansum(sample, axis=0)
        mean_L = np.where(count_L > 0, sums_L / np.maximum(count_L, 1), np.nan)
        return crossing(densities, mean_L, level, last=last)

    if len(x_RL) >= FEWEST_FOR_BOOTSTRAP:
        if rng is None:
            raise ValueError("a bootstrap needs a generator")
        found = bca_interval(x_RL, place, rng=rng, level=confidence, draws=draws)
        places, method = (found.mean, found.low, found.high), "bootstrap"
    else:
        band = simultaneous_band(x_RL, level=confidence, rng=rng, flips=flips)
        low = crossing(densities, band.high, level, last=last)
        high = crossing(densities, band.low, level, last=last)
        places, method = (place(x_RL), low, high), "band"
    first, end = float(densities.max()), float(densities.min())
    at = [min(max(math.exp(x), end), first) for x in places]
    off = [{-math.inf: "below", math.inf: "above"}.get(x, "") for x in places]
    return Threshold(at[0], at[1], at[2], censored=(off[0], off[1], off[2]), n=n, method=method)
