"""Statements that hold at all densities at once: simultaneous bands, tests and p-values.

Twenty levels without a correction find a difference somewhere in 55 % of studies where there is
none. Here the largest |t| over all densities is compared with the largest |t| under random signs:
a replicate's whole curve changes sign at once, so the correlation of its levels is kept (max-T,
Westfall & Young 1993, Resampling-Based Multiple Testing, section 2.6).

Signs are flipped about the means, which gives the critical value of a band; it covers 94 to 97 % at
n = 6 to 20 (simulated, tests/analysis/statistics). With n replicates there are 2^n outcomes, so
that with 5 no two-sided p were below .0625: below 6 replicates the band is Bonferroni's on t, which
needs normal errors.

Where replicates are missing at some densities, t has other degrees of freedom there: statistics
are compared by their own p-value (min-P), which is the same as max-|t| where nothing is missing.

Shape suffixes: R replicates, L densities or other comparisons, F sign flips.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from scipy import special

from analysis.statistics.intervals import Side, is_noisy, present, tail

EXACT = 12
"""Replicates up to which all 2^n sign patterns are enumerated."""

FLIPS = 9_999
"""Random sign patterns beyond that."""

FEWEST_FLIPPED = 6
"""Replicates from which sign flips can reach a two-sided p below .05."""

TIE = 1 + 1e-9
"""Ratio of p-values that still counts as equal: the same sum in another order rounds otherwise."""


class Band(NamedTuple):
    """Means over replicates with intervals that hold all at once; what is unknown is NaN."""

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    n: np.ndarray
    """Replicates with a value."""
    p: np.ndarray
    """Adjusted p: at most 1 - level where the band leaves ``null`` out, and nowhere else."""
    method: str
    """signs: random or enumerated sign flips; bonferroni: below 6 replicates."""


def simultaneous_band(
    values: np.ndarray,
    *,
    level: float = 0.95,
    side: Side = "two",
    null: np.ndarray | float = 0.0,
    rng: np.random.Generator | None = None,
    flips: int = FLIPS,
) -> Band:
    """Returns mean curve, simultaneous band and adjusted p for each column of ``values``.

    A row is a replicate, in units of its own; NaN is missing. With ``side`` greater the upper ends
    are infinite, with less the lower ones, and p tests against ``null`` on that side. A column in
    which the replicates do not differ, as gain has at density 1, has a band of no width and no p,
    and is not counted among the comparisons.

    Raises:
        ValueError: if signs must be drawn, beyond ``EXACT`` replicates, and there is no ``rng``.
    """
    x_RL = np.asarray(values, dtype=float)
    n_L, mean_L, error_L, noisy_L = _moments(x_RL)
    df_L = np.maximum(n_L - 1, 1)
    t_L = np.where(noisy_L, (mean_L - null) / np.where(noisy_L, error_L, 1), np.nan)
    raw_L = np.where(noisy_L, tail(t_L, df_L, side), np.nan)
    fewest = int(n_L[noisy_L].min(initial=len(x_RL)))
    if not noisy_L.any():
        p_L, cut, method = raw_L, np.nan, "signs"
    elif fewest < FEWEST_FLIPPED:
        p_L, method = np.minimum(raw_L * noisy_L.sum(), 1.0), "bonferroni"
        cut = (1 - level) / noisy_L.sum()
    else:
        centred_RL = (x_RL - mean_L)[:, noisy_L]
        least_F, drawn = _least_p(centred_RL, side, rng, flips)
        rank = (least_F[:, None] <= raw_L * TIE).sum(axis=0) + drawn
        # Never less than the comparison alone would have.
        p_L = np.where(noisy_L, np.fmax(rank / (len(least_F) + drawn), raw_L), np.nan)
        place = int(np.floor((1 - level) * (len(least_F) + drawn) * TIE)) - drawn
        cut, method = min(float(np.sort(least_F)[max(place, 0)]), 1 - level), "signs"
    half_L = np.where(noisy_L, _quantile(cut, df_L, side) * error_L, np.where(n_L > 1, 0, np.nan))
    low_L = mean_L - half_L if side != "less" else np.full_like(mean_L, -np.inf)
    high_L = mean_L + half_L if side != "greater" else np.full_like(mean_L, np.inf)
    return Band(mean_L, low_L, high_L, n_L, p_L, method)


def sign_patterns(
    n: int, rng: np.random.Generator | None, flips: int = FLIPS
) -> tuple[np.ndarray, bool]:
    """Returns sign patterns, shape (F, n), and whether they were drawn and not enumerated."""
    if n <= EXACT:
        return _all_signs(n), False
    if rng is None:
        raise ValueError(f"beyond {EXACT} replicates signs are drawn: a generator is needed")
    return rng.choice([-1.0, 1.0], size=(flips, n)), True


@cache  # At most ``EXACT`` arrays, which every band of as many replicates reads.
def _all_signs(n: int) -> np.ndarray:
    signs = 1.0 - 2.0 * (np.arange(2**n)[:, None] >> np.arange(n) & 1)
    signs.setflags(write=False)
    return signs


def _least_p(
    x: np.ndarray, side: Side, rng: np.random.Generator | None, flips: int
) -> tuple[np.ndarray, bool]:
    """Returns the smallest p over columns under each sign pattern, and whether they were drawn."""
    signs, drawn = sign_patterns(len(x), rng, flips)
    n = (~np.isnan(x)).sum(axis=0)
    if (n == n[0]).all():  # Where all have the same freedom, the most extreme has the smallest p.
        u = _cosines(x, signs)
        most = {"two": np.abs(u), "greater": u, "less": -u}[side].max(axis=1)
        return _p_of_cosines(most, n[0], "two" if side == "two" else "greater"), drawn
    return _p_of_cosines(_cosines(x, signs), n, side).min(axis=1), drawn


def _cosines(x: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """Returns mean over root mean square of each column under each sign pattern, in [-1, 1].

    Signs leave the sum of squares as it is, so this orders patterns as t does. Rounded, so that
    the same sum in another order is a tie.
    """
    filled = np.nan_to_num(x)
    scale = np.sqrt((~np.isnan(x)).sum(axis=0) * (filled**2).sum(axis=0))
    return np.round(signs @ filled / scale, 12)


def _p_of_cosines(u: np.ndarray, n: np.ndarray, side: Side) -> np.ndarray:
    return tail(u * np.sqrt((n - 1) / np.maximum(1 - u**2, 1e-300)), n - 1, side)


def _moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Returns n, mean, standard error and whether there is noise at all, of each column."""
    columns = [present(column) for column in x.T]
    n = np.array([len(column) for column in columns])
    mean_L = np.array([column.mean() if len(column) else np.nan for column in columns])
    noisy_L = np.array([is_noisy(column) for column in columns])
    spread = [c.std(ddof=1) if ok else np.nan for c, ok in zip(columns, noisy_L, strict=True)]
    return n, mean_L, np.array(spread) / np.sqrt(np.maximum(n, 1)), noisy_L


def _quantile(p: float, df: np.ndarray, side: Side) -> np.ndarray:
    return -special.stdtrit(df, p / 2 if side == "two" else p)
