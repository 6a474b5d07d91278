"""What an importance estimate says, or why it says nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from analysis.importance.surrogates.process import Quality
from lttune.config.design import INERT
from lttune.config.design.distributions import Floats

EstimateStatus = Literal["ok", "inconclusive", "refused", "undefined"]
"""ok: there are numbers; inconclusive: the surrogate is too poor; refused: the sample supports no
inference; undefined: the response varies too little, or at too few points, to share that out."""
Index = Literal["first", "total"]

COLUMNS = [
    "factor",
    "first",
    "first_low",
    "first_high",
    "total",
    "total_low",
    "total_high",
    "floor",
    "detected",
    "forest_first",
]
"""Columns of ``Importance.table``: S1 and ST as shares of the signal's variance with 95 %
intervals; the permutation floor of ST, and whether ST's lower end is above it; S1 of the random
forest, the second opinion. All numbers are NaN for a factor that was not estimated."""
PAIR_COLUMNS = ["a", "b", "closed", "closed_low", "closed_high", "interaction"]
"""Columns of ``Importance.pairs``: what two factors together explain, and that less both S1."""


@dataclass(frozen=True, kw_only=True)
class Importance:
    """Shares of the variance of one response under the design's distribution.

    The intervals hold the uncertainty of the responses, of the surrogate between the points and of
    its kernel. Where ``quality.q2`` is far below 1 for want of points
    and not by seed noise, totals are too large by up to about 1 - Q2 (Ishigami at 64 points: .2).
    """

    status: EstimateStatus
    reason: str = ""
    """Why there are no numbers, empty if there are."""
    trajectories: int = 0
    points: int = 0
    table: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=pd.Index(COLUMNS)))
    pairs: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame(columns=pd.Index(PAIR_COLUMNS))
    )
    first: pd.DataFrame = field(default_factory=pd.DataFrame)
    """S1 of every draw (row), a column for each factor; centred on the estimate."""
    total: pd.DataFrame = field(default_factory=pd.DataFrame)
    """ST of every draw, likewise."""
    signal_variance: float = float("nan")
    """Variance of the response over the design without seeds, in its unit squared."""
    signal_low: float = float("nan")
    signal_high: float = float("nan")
    seed_variance: float = float("nan")
    """Variance between replicates: of repeated points if there are any, else the surrogate's."""
    seed_freedom: int = 0
    """Degrees of freedom of the repeated points; 0 if the seed variance is the surrogate's."""
    quality: Quality | None = None
    """How well the surrogate predicts."""
    forest_r2: float = float("nan")
    """Out-of-bag R2 of the random forest."""

    @property
    def factors(self) -> list[str]:
        """The factors without the inert one."""
        return [name for name in self.total.columns if name != INERT]


@dataclass(frozen=True, kw_only=True)
class IndexDifference:
    """How much more one factor matters than another."""

    estimate: float
    low: float
    high: float
    draws: Floats
    """One difference for each draw, for any other level of confidence."""


def difference(importance: Importance, a: str, b: str, index: Index = "total") -> IndexDifference:
    """Returns the index of ``a`` less that of ``b`` with its 95 % interval, draw by draw.

    Raises:
        ValueError: if there are no numbers, or no such factor.
    """
    if importance.status != "ok":
        raise ValueError(f"no difference: {importance.reason}")
    table: pd.DataFrame = getattr(importance, index)
    if missing := [name for name in (a, b) if name not in table]:
        raise ValueError(f"no such factor: {missing}")
    draws = (table[a] - table[b]).to_numpy(dtype=float)
    low, high = np.quantile(draws, [0.025, 0.975])
    return IndexDifference(
        estimate=float(draws.mean()), low=float(low), high=float(high), draws=draws
    )
