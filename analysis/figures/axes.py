"""Where the axes of figures begin and end, so that what matters can be seen."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from analysis.frame import StudyFrame
from analysis.tables.trials import settings
from lttune.config.control import TRUNK

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


def whole_frame(table: pd.DataFrame, least: float = 0.0) -> Frame:
    """Returns the range of every network in a line table.

    Intervals widen it by at most half of that: the one of two replicates is six times as wide as
    the one of five, and would leave of the curves a line.

    Args:
        table: the line table.
        least: how far it reaches beyond a value that all networks share, so that what is less than
            one step of the measure is not drawn as if it were much.
    """
    values = table["value"].astype(float).dropna()
    if values.empty:
        return Frame(0.0, 1.0, False, False)
    low, high = float(values.min()), float(values.max())
    around = (low - least, high + least) if low == high else (low, high)
    spread = (high - low) or abs(high) * 0.2 or 1.0
    ends = pd.concat([table[name].astype(float) for name in ("value", "low", "high")])
    bottom, top = float(ends.min()), float(ends.max())
    pad = 0.05 * spread
    low, high = max(bottom, low - spread / 2) - pad, min(top, high + spread / 2) + pad
    low, high = min(low, around[0]), max(high, around[1])
    if values.min() > 0:
        low = max(low, 0.0)  # Neither a step nor an accuracy is negative, whatever its interval.
    return Frame(low, high, False, bool(bottom < low or top > high))


def main_frame(table: pd.DataFrame, least: float = 0.0) -> Frame:
    """Returns the range that resolves the curves which lie near the dense network.

    It holds every dense network and the upper 70 % of all means. The rest is cut off only if the
    whole range is four times as large: a random mask falls so far that it would hide the others.
    ``least`` is as for ``whole_frame``.
    """
    whole = whole_frame(table, least)
    means = table.loc[table["statistic"] == "mean", "value"].astype(float).dropna()
    values = table["value"].astype(float).dropna()
    dense = values[(table["curve"] == TRUNK) & (table["level"] == 0)]
    low = min([means.quantile(0.3), *dense])
    if values.empty or values.max() - low >= 0.25 * (values.max() - values.min()):
        return whole
    part = whole_frame(table[table["value"].isna() | (table["value"] >= low)])
    return part._replace(cuts_curves=True)


def evaluation_step(study: StudyFrame) -> float:
    """Returns the steps between two evaluations of a study, by which early-stopping steps differ.

    Sheets that do not name it give one step.
    """
    return float(settings(study).get("train.eval_every") or 1)


def whole_steps(ax: Axes) -> None:
    """Labels the y axis at whole numbers alone: there is no half of a training step."""
    ax.yaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 2.5, 5, 10], integer=True))


def density_axis(ax: Axes, percent: pd.Series, most: int = 8) -> None:
    """Shows densities from 100 % down on a log axis, labelled at those that were reached.

    Both ends are labelled. At most eight labels touch no other one on a whole figure, and five do
    not on half of one. Where curves reach other densities each, the labels are spread evenly over
    all of them.
    """
    densities = np.sort(percent.unique())[::-1]
    places = np.linspace(0, len(densities) - 1, min(most, len(densities))).round().astype(int)
    ticks = densities[places]
    spread = np.log(densities[0] / densities[-1]) / most
    if np.any(-np.diff(np.log(ticks)) < spread / 2):
        ticks = np.geomspace(densities[0], densities[-1], most - 1)
    ax.set_xscale("log")
    ax.set_xticks(ticks)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:.3g}"))
    ax.xaxis.set_minor_locator(NullLocator())
    margin = 1.06
    ax.set_xlim(densities[0] * margin, densities[-1] / margin)


def tick_values(
    low: float, high: float, *, is_log: bool = False, is_integer: bool = False, apart: float = 0.14
) -> list[float]:
    """Returns where an axis has labels: at both ends, and at round numbers between them.

    Args:
        low: its lower end, above zero on a log axis.
        high: its upper end, above ``low``.
        is_log: whether it is one.
        is_integer: whether only integers have a label.
        apart: least distance of two labels, a share of the axis.
    """
    # Below a decade and a half, powers of ten alone would leave an axis with one label.
    subs = (1, 2, 5) if high < 30 * low else (1,)
    inner = (
        LogLocator(subs=subs) if is_log else MaxNLocator(4, steps=[1, 2, 5, 10], integer=is_integer)
    )

    def place(value: float) -> float:
        share = (value - low) / (high - low)
        return math.log(value / low) / math.log(high / low) if is_log else share

    found = [low, high]
    for value in map(float, inner.tick_values(low, high)):
        if low < value < high and all(abs(place(value) - place(at)) >= apart for at in found):
            found.append(value)
    return sorted(found)


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


def tick_text(value: float, digits: int = 3) -> str:
    """Returns a number in so many significant digits; of up to six before the point all are shown.

    Args:
        value: what stands there.
        digits: at least so many.
    """
    before = len(str(int(abs(value))))
    return f"{value:.{max(digits, min(before, 6))}g}"


def numeric_axis(ax: Axes, x: pd.Series, factor: dict[str, Any]) -> None:
    """Shows the whole range that was searched, and what lies outside of it."""
    low = min(x.min(), float(factor.get("low", x.min())))
    high = max(x.max(), float(factor.get("high", x.max())))
    if low == high:
        ax.set_xticks([low], [tick_text(low)])
        return
    is_log = bool(factor.get("log")) and low > 0
    ticks = tick_values(low, high, is_log=is_log, is_integer=factor.get("kind") == "int", apart=0.2)
    if is_log:
        ax.set_xscale("log")
        margin = (high / low) ** 0.05
        ax.set_xlim(low / margin, high * margin)
    else:
        margin = 0.05 * (high - low)
        ax.set_xlim(low - margin, high + margin)
    ax.set_xticks(ticks, [tick_text(tick) for tick in ticks])
    ax.xaxis.set_minor_locator(NullLocator())
