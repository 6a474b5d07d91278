"""The e-process of signs, for numbers whose distribution may be skewed, such as logs of ratios.

After each replicate a bet on the sign of its distance from the null: (1 + w) if it is on the side
that is tested, (1 - w) if it is on the other or at the null itself. Where the median is the null or
beyond it, the tested side has at most half of the chance, so that no share w in [0, 1] makes the
capital grow on average; the mean over all w does not either (Vovk & Wang 2021, E-values:
calibration, combination and applications, section 3). No shape is assumed, and what is asked is
where the *median* lies: no rule finds the sign of a mean whatever the shape (Bahadur & Savage
1956).

Shape suffix: R replicates, in the order in which they are looked at.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from analysis.statistics.intervals import Estimate
from analysis.statistics.sequential.looks import FIRST_LOOK, from_first_look
from analysis.statistics.sequential.mixture import OneSide


def sign_process(values: np.ndarray, *, null: float = 0.0, side: OneSide) -> np.ndarray:
    """Returns log e-values of a median on one side of ``null``, after each replicate.

    Args and result are those of ``t_process``.
    """
    x_R = np.asarray(values, dtype=float) - null
    x_R = -x_R if side == "less" else x_R
    log_e_R = _log_e(np.cumsum(x_R > 0), np.cumsum(x_R <= 0))
    return from_first_look(log_e_R, np.cumsum(~np.isnan(x_R)))


def sign_sequence(values: np.ndarray, level: float = 0.95) -> Estimate:
    """Returns the median and its confidence sequence after the last replicate.

    As ``t_sequence``; the ends are values that were seen, or infinite.
    """
    x_R = np.asarray(values, dtype=float)
    x_R = x_R[~np.isnan(x_R)]
    n = len(x_R)
    if n == 0:
        return Estimate(math.nan, math.nan, math.nan, 0)
    low, high = -math.inf, math.inf
    for count in range(FIRST_LOOK, n + 1):
        wins = np.arange(count + 1)
        enough = np.flatnonzero(_log_e(wins, count - wins) >= -math.log((1 - level) / 2))
        if len(enough):
            ordered, place = np.sort(x_R[:count]), int(enough[0])
            low, high = max(low, ordered[count - place]), min(high, ordered[place - 1])
    median = float(np.median(x_R))
    if n < FIRST_LOOK or low > high:
        low = high = math.nan
    return Estimate(median, float(low), float(high), n)


def _log_e(wins: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """Returns the log of the mean of (1 + w)^wins (1 - w)^losses over w in [0, 1]."""
    whole = (wins + losses + 1) * math.log(2) + special.betaln(wins + 1, losses + 1)
    with np.errstate(divide="ignore"):
        return whole + np.log(special.betainc(losses + 1, wins + 1, 0.5))
