"""Where the axes of figures begin and end, so that what matters can be seen."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

DENSITY = "Weights remaining (%), log scale"
ACCURACY = "Test accuracy (%)"
STEP = "Early-stopping step"
TICKET_DENSITY = "Density of the ticket (%), log scale"
TICKET_ACCURACY = "Its validation accuracy (%)"
"""What stands beside the axes of figures."""


class Frame(NamedTuple):
    """The range of an axis, and what it leaves out."""

    low: float
    high: float
    cuts_curves: bool
    """True if a network lies outside."""
    cuts_bands: bool
    """True if an interval reaches outside."""


def whole_frame(table: pd.DataFrame) -> Frame:
    """Returns the range of every network in a line table.

    Intervals widen it by at most half of that: the one of two replicates is six times as wide as
    the one of five, and would leave of the curves a line.
    """
    values = table["value"].astype(float).dropna()
    if values.empty:
        return Frame(0.0, 1.0, False, False)
    low, high = float(values.min()), float(values.max())
    spread = (high - low) or abs(high) * 0.2 or 1.0
    ends = pd.concat([table[name].astype(float) for name in ("value", "low", "high")])
    bottom, top = float(ends.min()), float(ends.max())
    pad = 0.05 * spread
    low, high = max(bottom, low - spread / 2) - pad, min(top, high + spread / 2) + pad
    if values.min() > 0:
        low = max(low, 0.0)  # Neither a step nor an accuracy is negative, whatever its interval.
    return Frame(low, high, False, bool(bottom < low or top > high))


def main_frame(table: pd.DataFrame) -> Frame:
    """Returns the range that resolves the curves which lie near the dense network.

    It holds every dense network and the upper 70 % of all means. The rest is cut off only if the
    whole range is four times as large: a random mask falls so far that it would hide the others.
    """
    whole = whole_frame(table)
    means = table.loc[table["statistic"] == "mean", "value"].astype(float).dropna()
    values = table["value"].astype(float).dropna()
    dense = values[(table["curve"] == "trunk") & (table["level"] == 0)]
    low = min([means.quantile(0.3), *dense])
    if values.empty or values.max() - low >= 0.25 * (values.max() - values.min()):
        return whole
    part = whole_frame(table[table["value"].isna() | (table["value"] >= low)])
    return part._replace(cuts_curves=True)


def density_axis(ax: Axes, percent: pd.Series, most: int = 8) -> None:
    """Shows densities from 100 % down on a log axis, labelled at those that were reached.

    At most eight labels touch no other one at 800 px, and five do not on half of that. Where curves
    reach other densities each, the labels are spread evenly over all of them.
    """
    densities = np.sort(percent.unique())[::-1]
    ticks = densities[:: math.ceil(len(densities) / most)]
    spread = np.log(densities[0] / densities[-1]) / most
    if np.any(-np.diff(np.log(ticks)) < spread / 2):
        ticks = np.geomspace(densities[0], densities[-1], most - 1)
    ax.set_xscale("log")
    ax.set_xticks(ticks)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:.3g}"))
    ax.xaxis.set_minor_locator(NullLocator())
    margin = 1.06
    ax.set_xlim(densities[0] * margin, densities[-1] / margin)


def log_scale(ax: Axes) -> None:
    """Makes the y axis logarithmic, labelled with plain numbers in a range below a decade too."""
    ax.set_yscale("log")
    low, high = ax.get_ylim()
    subs = (1, 2, 5) if high < 30 * low else (1,)
    if high < 5 * low:
        subs = (1, 1.5, 2, 3, 4, 5, 6, 8)
    ax.yaxis.set_major_locator(LogLocator(subs=subs))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())


def floor(objective: pd.Series) -> float | None:
    """Returns where to cut the objective's axis off, or None if no trial lies far below the rest.

    A network that diverged scores as chance does; on one axis with it the others look alike.
    """
    values = objective.dropna()
    if len(values) < 4:
        return None
    quarter, top = values.quantile(0.25), values.max()
    bottom = quarter - 2 * (top - quarter)
    kept = values[values >= bottom]
    if len(kept) == len(values) or top - kept.min() > 0.5 * (top - values.min()):
        return None
    return float(kept.min() - 0.15 * (top - kept.min()))


def numeric_axis(ax: Axes, x: pd.Series, factor: dict[str, Any]) -> None:
    """Shows the whole range that was searched, and what lies outside of it."""
    low = min(x.min(), float(factor.get("low", x.min())))
    high = max(x.max(), float(factor.get("high", x.max())))
    if factor.get("log") and low > 0:
        ax.set_xscale("log")
        # Below a decade and a half, powers of ten alone would leave an axis with one label.
        subs = (1, 2, 5) if high < 30 * low else (1,)
        ax.xaxis.set_major_locator(LogLocator(subs=subs))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.xaxis.set_minor_formatter(NullFormatter())
        margin = (high / low) ** 0.05
        low, high = low / margin, high * margin
    else:
        integer = factor.get("kind") == "int"
        ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10], integer=integer))
        margin = 0.05 * (high - low)
        low, high = low - margin, high + margin
    if low < high:
        ax.set_xlim(low, high)
