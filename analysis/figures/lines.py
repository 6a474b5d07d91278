"""How a line table is drawn: curves against density, each with its replicates and interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from analysis.figures import axes, palette

FEWEST_BANDED = 3
"""Replicates from which a band is drawn: that of two is wider than any figure."""

FLAGS = {"diverged": "diverged ×"}
"""Column of counts -> how the legend says it."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<")


class Look(NamedTuple):
    """Colour, marker and dash of a curve: told apart without the colour too."""

    color: Any
    marker: str
    linestyle: Any = "-"
    linewidth: float = 1.9


class Pen(NamedTuple):
    """How thick a panel of some size is drawn; widths and sizes are in points."""

    single: float
    """Width of a replicate's line."""
    single_alpha: float
    """Opacity of a replicate's line."""
    band_alpha: float
    """Opacity of an interval."""
    cross: float
    """Size of the mark of a network that diverged."""
    marker: float
    """Size of a mean's marker."""
    reference: float
    """Width of the line of the dense network."""
    densities: int
    """Most labels of the axis of densities."""


FINE = Pen(0.5, 0.35, 0.14, 6, 3.6, 1.2, 5)
"""For panels beside or below others."""
BOLD = Pen(0.7, 0.45, 0.16, 7, 5.5, 1.4, 8)
"""For one panel that is the figure."""


def looks(curves: Sequence[str]) -> dict[str, Look]:
    """Returns a look for each of some curves without an order."""
    dashes = ("-", (0, (6, 2)), (0, (1.5, 1.5)))
    colours = palette.CURVES
    found: dict[str, Look] = {}
    for i, curve in enumerate(curves):
        dash = dashes[i // len(colours) % len(dashes)]
        found[curve] = Look(colours[i % len(colours)], MARKERS[i % len(MARKERS)], dash)
    return found


def ordered_looks(curves: Sequence[str]) -> dict[str, Look]:
    """Returns looks whose colours go from dark to light with the order of the curves."""
    shades = matplotlib.colormaps["viridis"](np.linspace(0.08, 0.85, max(len(curves), 2)))
    return {
        curve: Look(to_hex(shades[i]), MARKERS[i % len(MARKERS)]) for i, curve in enumerate(curves)
    }


def broken(curve: pd.DataFrame) -> pd.DataFrame:
    """Returns a curve by falling density, with an empty row where levels between were not trained.

    What is drawn of it has a gap there: controls may be trained at the levels around a few
    densities only, and a line over the others would be a guess.
    """
    curve = curve.sort_values("level", kind="stable")
    gap = curve["level"].astype(float).diff() > 1
    empty = pd.DataFrame(index=np.flatnonzero(gap) - 0.5, columns=curve.columns, dtype=float)
    whole = curve.reset_index(drop=True)
    numbers = whole.select_dtypes("number").astype(float)
    return pd.concat([numbers, empty[numbers.columns]]).sort_index()


def draw_lines(
    ax: Axes,
    table: pd.DataFrame,
    shown: Mapping[str, Look],
    *,
    factor: float = 1.0,
    names: Mapping[str, str] | None = None,
    banded: Sequence[str] = (),
    fewest: int = FEWEST_BANDED,
    flags: Mapping[str, str] = FLAGS,
    pen: Pen = FINE,
) -> None:
    """Draws the curves of a line table: replicates thin, means thick, intervals of those named.

    ``factor`` multiplies values, 100 for percent. Intervals are bands where at least ``fewest``
    replicates are behind them. × is a network that diverged; ``flags`` is as for ``with_counts``.
    """
    values = table.assign(
        x=100 * table["density"].astype(float),
        **{name: factor * table[name].astype(float) for name in ("value", "low", "high")},
    )
    for curve, look in shown.items():
        mine = values[values["curve"] == curve]
        mean, networks = (mine[mine["statistic"] == kind] for kind in ("mean", "replicate"))
        if len(set(networks["replicate"])) > 1:
            thin: dict[str, Any] = {"linewidth": pen.single, "alpha": pen.single_alpha}
            for _, single in networks.groupby("replicate"):
                line = broken(single)
                ax.plot(line["x"], line["value"], color=look.color, **thin)
        if curve in banded:
            wide = broken(mean[mean["n"] >= fewest])
            draw_band(ax, wide["x"], wide["low"], wide["high"], look.color, pen.band_alpha)
        bad = networks[networks["diverged"] > 0]
        ax.plot(bad["x"], bad["value"], "x", color=look.color, markersize=pen.cross)
        label = with_counts((names or {}).get(curve, str(curve)), mean, flags)
        line = broken(mean)
        style = {**look._asdict(), "markersize": pen.marker}
        ax.plot(line["x"], line["value"], label=label, **style, zorder=3)
    if len(values):
        axes.density_axis(ax, values["x"], most=pen.densities)


def draw_band(
    ax: Axes,
    x: pd.Series,
    low: pd.Series,
    high: pd.Series,
    colour: Any,
    alpha: float,
    label: str = "",
) -> None:
    """Draws the interval around a curve: as pale as ``alpha`` says, without an edge."""
    ax.fill_between(x, low, high, color=colour, alpha=alpha, linewidth=0, label=label)


def with_counts(name: str, mean: pd.DataFrame, flags: Mapping[str, str] = FLAGS) -> str:
    """Returns a curve's name with its number of replicates, and how many networks are flagged.

    ``flags`` says in words what each column of counts means that is told.
    """
    counts = sorted(set(mean["n"]))
    n = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    sums = {text: int(mean[column].sum()) for column, text in flags.items()}
    told = [f", {count} {text}" for text, count in sums.items() if count]
    return f"{name} (n = {n}{''.join(told)})"


def fit_axis(
    ax: Axes, table: pd.DataFrame, factor: float = 1.0, *, cut: bool = True, least: float = 0.0
) -> int:
    """Sets the axis to the curves; returns how many points of means are cut off below it.

    Without ``cut`` none is, with it those far below all others, as after a divergence. ``least`` is
    as for ``axes.whole_frame``.
    """
    means = table.loc[table["statistic"] == "mean", "value"].astype(float).dropna()
    if means.empty:
        return 0
    whole = axes.whole_frame(table, least)
    bottom = axes.floor(means) if cut else None
    if bottom is None:
        # A best step of 0 is a value, steps below it are not.
        low = max(whole.low, -0.03 * whole.high) if (table["value"].min() >= 0) else whole.low
        ax.set_ylim(factor * low, factor * whole.high)
        return 0
    inside = table[table["value"].isna() | (table["value"] >= bottom)]
    part = axes.whole_frame(inside)
    ax.set_ylim(factor * max(bottom, part.low), factor * part.high)
    return int((means < bottom).sum())


def label_ends(ax: Axes, table: pd.DataFrame, shown: Mapping[str, Look], **kw: Any) -> None:
    """Writes each curve's name beside its last point, moved apart where they would touch.

    Call it when the axes have their limits. ``names`` and ``factor`` are as for ``draw_lines``.
    """
    factor, names = kw.get("factor", 1.0), kw.get("names") or {}
    means = table[table["statistic"] == "mean"].dropna(subset=["value"])
    last = means.sort_values("level").groupby("curve", sort=False).tail(1)
    found = dict(zip(last["curve"], last["value"], strict=True))
    low, high = ax.get_ylim()
    ends = sorted(
        (float(np.clip(factor * found[curve], low, high)), curve)
        for curve in shown
        if curve in found
    )
    gap = (high - low) * 0.062
    heights = np.array([height for height, _ in ends])
    for i in range(1, len(heights)):
        heights[i] = max(heights[i], heights[i - 1] + gap)
    if len(heights) and heights[-1] > high:
        heights -= heights[-1] - high
        heights = np.maximum(heights, low + gap * np.arange(len(heights)))
    for height, (_, curve) in zip(heights, ends, strict=True):
        look = {"color": shown[curve].color, "fontsize": 8.5, "va": "center"}
        ax.annotate(
            names.get(curve, str(curve)),
            (1.01, height),
            xycoords=("axes fraction", "data"),
            annotation_clip=False,
            parse_math=False,
            **look,
        )
