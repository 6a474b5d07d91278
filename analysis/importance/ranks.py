"""The order of the factors: how sure it is at each density, and where it turns."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import scipy

from analysis.importance.by_density import ImportanceCurves
from analysis.importance.result import Importance, Index, difference

RANK_COLUMNS = ["density", "leader", "share", "tau", "tau_low"]
"""Columns of ``rank_table``."""
LEAD_COLUMNS = ["density", "a", "b", "lead", "low", "high"]
"""Columns of ``lead_table``."""


def rank_table(curves: ImportanceCurves) -> pd.DataFrame:
    """Returns which factor matters most at each density that has importances, and how surely.

    ``leader`` has the highest ST, ``share`` is the share of the draws in which it has. ``tau`` is
    the mean of ``rank_stability``, ``tau_low`` its 2.5 % quantile.
    """
    rows = []
    for density, estimate in curves.estimates.items():
        if estimate.status != "ok" or not estimate.factors:
            continue
        draws = estimate.total[estimate.factors]
        leader = str(draws.mean().idxmax())
        tau, low = rank_stability(estimate)
        share = float((draws.idxmax(axis=1) == leader).mean())
        rows.append([density, leader, share, tau, low])
    return pd.DataFrame(rows, columns=pd.Index(RANK_COLUMNS))


def lead_table(curves: ImportanceCurves) -> pd.DataFrame:
    """Returns by how much the ST of one factor exceeds another's, for every pair and density.

    Columns ``LEAD_COLUMNS``: ``lead`` with its 95 % interval is of draws, which belong together.
    """
    rows = []
    for density, estimate in curves.estimates.items():
        if estimate.status == "ok":
            for a, b in combinations(estimate.factors, 2):
                found = difference(estimate, a, b)
                rows.append([density, a, b, found.estimate, found.low, found.high])
    return pd.DataFrame(rows, columns=pd.Index(LEAD_COLUMNS))


def change_table(curves: ImportanceCurves) -> pd.DataFrame:
    """Returns a row for each factor: ``density`` of its ``change_point``, NaN without one."""
    known = [estimate for estimate in curves.estimates.values() if estimate.status == "ok"]
    names = known[0].factors if known else []
    found = [change_point(curves, name) for name in names]
    return pd.DataFrame({"factor": names, "density": pd.Series(found, dtype=float)})


def change_point(curves: ImportanceCurves, factor: str, level: float = 0.95) -> float | None:
    """Returns the largest density at which a factor's ST differs from its dense value.

    The interval holds for all densities together (max-|t| over resamples), so looking at twenty of
    them finds no difference by chance. None if there is none, or no dense estimate.
    """
    draws = {d: e.total[factor] for d, e in curves.estimates.items() if e.status == "ok"}
    densities = sorted(draws, reverse=True)
    if len(densities) < 2 or densities[0] != max(curves.estimates):
        return None
    table = np.array([draws[d] - draws[densities[0]] for d in densities[1:]])
    centre, spread = table.mean(1), table.std(1, ddof=1)
    t = np.abs(table - centre[:, None]) / np.maximum(spread, 1e-12)[:, None]
    limit = np.quantile(t.max(0), level)
    differs = np.abs(centre) > limit * spread
    return densities[1 + int(np.argmax(differs))] if differs.any() else None


def rank_stability(importance: Importance, index: Index = "total") -> tuple[float, float]:
    """Returns Kendall's tau between the order of the factors and that of the draws: mean, 2.5 %.

    1 is the same order always. The inert factor is left out. NaN below two factors.
    """
    names = importance.factors
    if importance.status != "ok" or len(names) < 2:
        return float("nan"), float("nan")
    draws = getattr(importance, index)[names].to_numpy(dtype=float)
    order = draws.mean(0)
    taus = np.array([scipy.stats.kendalltau(order, row)[0] for row in draws])
    return float(np.nanmean(taus)), float(np.nanquantile(taus, 0.025))
