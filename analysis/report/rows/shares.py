"""The importances of one density after the other, as the page's slider goes through them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.importance.saved import Importances
from analysis.report.formats import decimal, percent, share
from lttune.records.interpolation import SAME, logs_away

BAR_ENDS = ("first", "first_low", "first_high", "total", "total_low", "total_high")
"""Columns of ``Importances.table`` that are drawn of each factor."""


def shares_by_density(design: Importances, densities: Sequence[float]) -> dict[str, Any] | None:
    """Returns what is drawn and said at each of some densities; None where no shares are known.

    Importances are estimated at fewer densities than there are: each shows the nearest estimate,
    rather a known one, and says of which density it is. Below the last one nothing is known.
    """
    if design.table.empty or design.strip.empty:
        return None
    factors = list(dict.fromkeys(design.table["factor"]))
    estimated = [float(density) for density in design.strip["density"]]
    levels = []
    for density in densities:
        if density < min(estimated) * (1 - SAME):
            least = f"the lowest estimate is at {percent(min(estimated), 1)}"
            why = f"{least} ({design.ended})" if design.ended else least
            levels.append({"bars": None, "text": f"At {percent(density, 1)}: not known; {why}."})
            continue
        levels.append(_level(design, _place(design, density), factors))
    return {"factors": [str(factor) for factor in factors], "levels": levels}


def _place(design: Importances, density: float) -> int:
    """Returns which estimate is shown at a density: of those equally near, one that is known."""
    unknown = (design.strip["status"] != "ok").to_numpy()
    return int(np.lexsort((unknown, logs_away(design.strip["density"], density).round(6)))[0])


def _level(design: Importances, place: int, factors: Sequence[str]) -> dict[str, Any]:
    facts = design.strip.iloc[place]
    where = f"Estimated at {percent(float(facts['density']), 1)} of the weights"
    rows = design.table[np.isclose(design.table["density"], facts["density"], rtol=SAME, atol=0)]
    if facts["status"] != "ok" or rows.empty:
        return {"bars": None, "text": f"{where}: not known ({facts['reason']})."}
    found = rows.drop_duplicates("factor").set_index("factor").reindex(pd.Index(factors))
    ends = found[list(BAR_ENDS)].astype(float).to_numpy()
    bars = [
        [round(float(value), 4) if np.isfinite(value) else None for value in row] for row in ends
    ]
    told = [[" ".join(share(tuple(one))).strip() for one in row.reshape(2, 3)] for row in ends]
    n, q2 = int(facts["trajectories"]), float(facts["q2"])
    return {
        "bars": bars,
        "told": told,
        "text": f"{where}: n = {n} trajectories, Q2 = {decimal(q2)}.",
    }
