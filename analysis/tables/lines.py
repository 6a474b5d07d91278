"""The line table: curves of a measure against density, with every network and the means of each.

Everything that is drawn against density is one: the anchor's branches, values of a sweep, layers of
a network, configurations that are confirmed or compared.

Shape suffixes: R replicates, L levels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from analysis.statistics import mean_interval
from analysis.statistics.bands import simultaneous_band

LINE = ["curve", "level", "density", "statistic", "replicate", "value", "low", "high", "n"]
"""Columns that every line table begins with."""

COUNTED = ("diverged",)
"""What is counted of the networks, unless more is asked for."""

LINE_COLUMNS = [*LINE, *COUNTED]
"""Columns of ``line_table``."""

Interval = Literal["simultaneous", "pointwise"]
"""Whether the 95 % of a mean hold for all densities of its curve at once, or for each alone."""

Limits = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def line_table(
    networks: pd.DataFrame,
    measure: str,
    by: str,
    *,
    interval: Interval = "simultaneous",
    counts: Sequence[str] = COUNTED,
) -> pd.DataFrame:
    """Returns a measure against density: a row for each network, and for each mean over replicates.

    ``by`` names the column that tells curves apart; its values are ``curve``. ``statistic`` is
    "replicate" or "mean". A mean has its 95 % interval, in ``n`` the replicates behind it, and of
    each column of ``counts`` how many of them it is true of. Those that diverged are kept, with
    their best evaluation. Where the pruned networks of all replicates have the same value there is
    no interval, for how much they spread is not known.
    """
    rows: list[dict[str, Any]] = []
    # A replicate that two trials of a curve have trained is two networks.
    each = [name for name in ("replicate", "trial") if name in networks]
    # Records have some hundred columns, each of which every group and row would be made of.
    read = dict.fromkeys([by, *each, "level", "density", measure, *counts])
    for curve, mine in networks[list(read)].groupby(by, sort=False):
        wide = mine.pivot(index=each, columns="level", values=measure)  # noqa: PD010
        levels = mine.groupby("level")
        density = levels["density"].mean()
        counted = levels[list(counts)].sum().to_dict("index")
        limits = INTERVALS[interval](wide.to_numpy(float))
        for level, value, low, high, n in zip(wide.columns, *limits, strict=True):
            # Some measures are fixed at the dense network, as its own gain: that is certain.
            if level and low == high:
                low = high = np.nan
            shared = {"curve": curve, "level": level, "density": density[level]}
            mean = {"statistic": "mean", "value": value, "low": low, "high": high, "n": int(n)}
            flags = {name: int(counted[level][name]) for name in counts}
            rows.append({**shared, **mean, **flags})
        for one in mine.sort_values(["replicate", "level"]).to_dict("records"):
            shared = {"curve": curve, "level": one["level"], "density": one["density"]}
            single = {"statistic": "replicate", "replicate": one["replicate"], "n": 1}
            flags = {name: int(one[name]) for name in counts}
            rows.append({**shared, **single, "value": one[measure], **flags})
    table = pd.DataFrame(rows, columns=pd.Index([*LINE, *counts]))
    return table.astype({"replicate": "Int64", "value": float, "low": float, "high": float})


def _simultaneous(values: np.ndarray) -> Limits:
    band = simultaneous_band(values, rng=np.random.default_rng(0))
    return band.mean, band.low, band.high, band.n


def _pointwise(values: np.ndarray) -> Limits:
    mean, low, high, n = np.array([mean_interval(column) for column in values.T]).T
    return mean, low, high, n


INTERVALS: dict[Interval, Callable[[np.ndarray], Limits]] = {
    "simultaneous": _simultaneous,
    "pointwise": _pointwise,
}
"""Name -> what takes values of shape (R, L) to means, their two ends and counts, each (L,)."""
