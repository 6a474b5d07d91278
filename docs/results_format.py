"""Numbers as the results page writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from analysis.statistics import Estimate


def points(estimate: Estimate | Mapping[str, Any], digits: int = 2) -> str:
    """Returns shares as percentage points with their interval: "+0.61 [+0.47, +0.76]"."""
    values = estimate._asdict() if isinstance(estimate, Estimate) else dict(estimate)
    mean = values["mean"] if "mean" in values else values["estimate"]
    ends = (100 * value for value in (mean, values["low"], values["high"]))
    return "{:+.{d}f} [{:+.{d}f}, {:+.{d}f}]".format(*ends, d=digits)


def interval(row: Mapping[str, Any], digits: int = 2) -> str:
    """Returns an estimate in its own unit with its interval: "0.58 [0.51, 0.67]"."""
    return "{:,.{d}f} [{:,.{d}f}, {:,.{d}f}]".format(
        row["estimate"], row["low"], row["high"], d=digits
    )


def percent(share: float, digits: int = 1) -> str:
    """Returns a share as "21.1 %"."""
    return f"{100 * share:.{digits}f} %"


def short(value: float) -> str:
    """Returns a number in two digits."""
    return f"{value:.2g}"


def row(*cells: Any) -> str:
    """Returns a row of a table."""
    return f"| {' | '.join(map(str, cells))} |"


def measures(by: pd.DataFrame, measures: Sequence[str]) -> list[str]:
    """Returns the cells of measures; an accuracy is a percentage, a difference in points."""
    cells = []
    for measure in measures:
        if measure not in by.index:
            cells.append("-")
        elif measure == "accuracy":
            one = by.loc[measure]
            ends = (100 * one[name] for name in ("mean", "low", "high"))
            cells.append("{:.2f} [{:.2f}, {:.2f}]".format(*ends))
        else:
            cells.append(points(by.loc[measure].to_dict()))
    return cells


FILTERS: dict[str, Callable[..., str]] = {
    "points": points,
    "interval": interval,
    "percent": percent,
    "short": short,
}
