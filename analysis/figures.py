"""Figures against density: test accuracy, and the early-stopping step (paper Figures 3 and 4)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullLocator

from analysis import canvas
from analysis.canvas import Drawing
from analysis.curves import BRANCHES, curve_table
from analysis.frame import Study

LABELS = {
    "trunk": "ticket",
    "reinit": "reinitialised ticket",
    "random": "random mask",
    "dense": "dense",
}
"""Names of the branches for readers."""

# Okabe and Ito's colours, told apart in every common colour blindness; marker and dash differ too.
LOOKS = {
    "trunk": {"color": "#0072B2", "marker": "o", "linestyle": "-"},
    "reinit": {"color": "#D55E00", "marker": "s", "linestyle": (0, (6, 2))},
    "random": {"color": "#009E73", "marker": "^", "linestyle": (0, (1.5, 1.5))},
}
OTHER_LOOK = {"color": "#CC79A7", "marker": "D", "linestyle": (0, (6, 2, 1, 2))}


@dataclass(frozen=True)
class Measure:
    """How one column of the records is shown."""

    column: str
    label: str
    factor: float
    """What a value is multiplied with on the axis: 100 for percent."""
    flag: str
    """Which count is shown in the legend: "diverged" or "censored"."""


ACCURACY = Measure("test_accuracy", "Test accuracy (%)", 100.0, "diverged")
EARLY_STOP = Measure("early_stop_step", "Early-stopping step", 1.0, "censored")


def accuracy(study: Study, subtitle: str) -> Drawing:
    """Returns the central figure: test accuracy at the early-stopping step against density."""
    title = "Test accuracy at the early-stopping step"
    return _density_figure(study, ACCURACY, "accuracy", title, subtitle)


def early_stop(study: Study, subtitle: str) -> Drawing:
    """Returns the speed of learning: the step of minimum validation loss against density."""
    title = "Early-stopping step (minimum validation loss)"
    return _density_figure(study, EARLY_STOP, "early_stop", title, subtitle)


def _density_figure(
    study: Study, measure: Measure, name: str, title: str, subtitle: str
) -> Drawing:
    table = curve_table(study.records, measure.column)
    window = zoom(table)
    with canvas.style():
        height = 6.4 if window else 5.0
        figure = canvas.new_figure(title, subtitle, study.incomplete, height)
        if window:
            axes = figure.subplots(2, 1, sharex=True, height_ratios=(3.4, 1))
            draw_curves(axes[0], table, measure)
            draw_curves(axes[1], table, measure, small=True)
            low, high = (measure.factor * end for end in window)
            axes[0].set_ylim(low, high)
            axes[1].axhspan(low, high, color="#000000", alpha=0.07, linewidth=0)
            axes[1].set_ylabel("(%)")
            note = "Whole range; the panel above is the grey part of it"
            axes[1].set_title(note, size=9, loc="left", color="#444444")
            last = axes[1]
        else:
            last = figure.subplots()
            draw_curves(last, table, measure)
        last.set_xlabel("Weights remaining (%), log scale")
        canvas.legend_below(figure, columns=2)
    return Drawing(name=name, title=title, figure=figure, table=table)


def zoom(table: pd.DataFrame) -> tuple[float, float] | None:
    """Returns the range that resolves the curves, or None if the whole range does.

    It holds every dense network and the upper 70 % of all means. Only if that is less than
    half of the whole range does it pay to cut the rest off.
    """
    means = table.loc[table["statistic"] == "mean", "value"].dropna()
    values = table["value"].dropna()
    if means.empty or values.max() == values.min() or values.max() > 1:
        return None
    dense = table.loc[(table["branch"] == "trunk") & (table["level"] == 0), "value"]
    low = min(means.quantile(0.3), dense.min() if len(dense) else math.inf)
    high = values.max()
    if high - low > 0.5 * (high - values.min()):
        return None
    pad = 0.06 * (high - low)
    return low - pad, high + pad


def draw_curves(ax: Axes, table: pd.DataFrame, measure: Measure, small: bool = False) -> None:
    """Draws a curve table: each replicate thin, means thick, intervals as bands, dense dashed."""
    values = table.assign(
        x=100 * table["density"].astype(float),
        **{name: measure.factor * table[name].astype(float) for name in ("value", "low", "high")},
    )
    if values.empty:
        canvas.note_empty(ax, "No network of the anchor is trained yet.")
        ax.set(xticks=[], yticks=[])
        return
    _draw_dense(ax, values)
    found = set(values["branch"])
    for branch in [*BRANCHES, *sorted(found - set(BRANCHES))]:
        curve = values[values["branch"] == branch]
        if branch == "trunk" and set(curve["level"]) == {0}:
            continue
        if len(curve):
            _draw_branch(ax, curve, LOOKS.get(branch, OTHER_LOOK), measure, small)
    _density_axis(ax, values)
    ax.set_ylabel(measure.label)


def _draw_dense(ax: Axes, values: pd.DataFrame) -> None:
    dense = values[(values["branch"] == "trunk") & (values["level"] == 0)]
    mean = dense[dense["statistic"] == "mean"]
    for level in mean["value"].dropna():
        label = f"dense (mean, n = {mean['n'].iloc[0]})"
        ax.axhline(level, color="black", linestyle="--", linewidth=1.4, label=label, zorder=2.2)


def _draw_branch(ax: Axes, curve: pd.DataFrame, look: dict, measure: Measure, small: bool) -> None:
    mean = curve[curve["statistic"] == "mean"]
    networks = curve[curve["statistic"] == "replicate"]
    for _, single in networks.groupby("replicate"):
        ax.plot(single["x"], single["value"], color=look["color"], linewidth=0.7, alpha=0.45)
    ax.fill_between(
        mean["x"], mean["low"], mean["high"], color=look["color"], alpha=0.16, linewidth=0
    )
    flagged = networks[networks["diverged"] > 0]
    ax.plot(flagged["x"], flagged["value"], "x", color=look["color"], markersize=7)
    style = {**look, "linewidth": 1.4 if small else 2.2, "markersize": 3 if small else 5.5}
    ax.plot(mean["x"], mean["value"], label=_legend(mean, measure), **style, zorder=3)


def _legend(mean: pd.DataFrame, measure: Measure) -> str:
    branch = mean["branch"].iloc[0]
    counts = sorted(set(mean["n"]))
    n = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    text = f"{LABELS.get(branch, branch)} (n = {n}"
    if flagged := int(mean["diverged"].sum()):
        text += f", {flagged} diverged ×"
    if measure.flag == "censored" and (censored := int(mean["censored"].sum())):
        text += f", {censored} at the last step"
    return f"{text})"


def _density_axis(ax: Axes, values: pd.DataFrame) -> None:
    densities = np.sort(values["x"].unique())[::-1]
    # At most eight labels, so that none touches the next at 800 px.
    ticks = densities[:: math.ceil(len(densities) / 8)]
    ax.set_xscale("log")
    ax.set_xticks(ticks)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:.3g}"))
    ax.xaxis.set_minor_locator(NullLocator())
    margin = 1.06
    ax.set_xlim(densities[0] * margin, densities[-1] / margin)
