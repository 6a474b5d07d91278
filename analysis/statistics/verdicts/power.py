"""Power of paired comparisons: what a number of replicates can show, before they are run.

Differences are normal with standard deviation ``sd`` across replicates; ``margin``, ``sd`` and
``difference`` share a unit. A claim whose power is low at the true value can only end inconclusive.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import scipy
from scipy import special

from analysis.statistics.intervals import Side

NODES = 200
"""Points of the quadrature over the sample's standard deviation: errors below 1e-9."""


def superiority_power(
    *, difference: float, sd: float, n: int, alpha: float = 0.05, side: Side = "two"
) -> float:
    """Returns the probability that a t-test finds a true difference (noncentral t)."""
    _check(sd, n)
    shift = difference / sd * math.sqrt(n)
    t = scipy.stats.t.isf(alpha / 2 if side == "two" else alpha, n - 1)
    up = float(scipy.stats.nct.sf(t, n - 1, shift))
    down = float(scipy.stats.nct.sf(t, n - 1, -shift))
    return {"two": up + down, "greater": up, "less": down}[side]


def non_inferiority_power(
    *, margin: float, sd: float, n: int, difference: float = 0.0, alpha: float = 0.05
) -> float:
    """Returns the probability of showing a mean above ``-margin`` where it is ``difference``."""
    return superiority_power(
        difference=margin + difference, sd=sd, n=n, alpha=alpha, side="greater"
    )


def equivalence_power(
    *, margin: float, sd: float, n: int, difference: float = 0.0, alpha: float = 0.05
) -> float:
    """Returns the probability that two one-sided tests show a mean in (-margin, margin).

    Exact: given the sample's standard deviation the mean is normal and must fall in an interval;
    Gauss-Legendre over the chi-distributed deviation (Owen 1965; Phillips 1990).
    """
    _check(sd, n)
    error = sd / math.sqrt(n)
    t = float(scipy.stats.t.isf(alpha, n - 1))
    # Sample deviations, in units of sd, beyond which no mean passes or that hardly ever occur.
    most = min(margin / (t * error), float(scipy.stats.chi.isf(1e-12, n - 1)) / math.sqrt(n - 1))
    node, weight = _nodes()
    s = (node + 1) / 2 * most
    free = margin - t * s * error
    inside = special.ndtr((free - difference) / error) - special.ndtr((-free - difference) / error)
    density = scipy.stats.chi.pdf(s * math.sqrt(n - 1), n - 1) * math.sqrt(n - 1)
    return float((weight * inside * density).sum() * most / 2)


@cache
def _nodes() -> tuple[np.ndarray, np.ndarray]:
    return np.polynomial.legendre.leggauss(NODES)


def _check(sd: float, n: int) -> None:
    if not sd > 0 or n < 2:
        raise ValueError(f"power needs sd > 0 and n >= 2, got sd {sd} and n {n}")
