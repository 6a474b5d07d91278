"""Figures of the search: the objective against the factors that were searched."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure

from analysis.figures import axes, canvas, palette
from analysis.figures.canvas import Drawing
from analysis.frame import StudyFrame, in_phases
from analysis.tables.objective import objective_name
from analysis.tables.trials import is_searched, search_table
from lttune.config.fields import is_number
from lttune.config.phase import PHASES, Phase

# From 50 colours on, matplotlib would paint the bar as a bitmap, which a page without images lacks.
COLOUR_MAP = matplotlib.colormaps["viridis"].resampled(40)
ANCHOR = {"marker": "*", "color": palette.VERMILION, "edgecolors": palette.BLACK, "linewidths": 0.6}
PlainSpace = dict[str, dict[str, Any]]


def search(study: StudyFrame, subtitle: str) -> Drawing | None:
    """Returns the objective against the learning rate, or the space's first numeric factor.

    None without a search.
    """
    table, space = search_table(study), study.info.get("space", {})
    if not space or not is_searched(study):
        return None
    x, colour = main_factors(table, space)
    name = objective_name(study)
    title = f"Search: {name} against {x}" if x else f"Search: {name}"
    with canvas.style():
        figure = canvas.new_figure(title, subtitle, study.incomplete)
        ax = figure.subplots()
        if x is None:
            canvas.note_empty(ax, "No numeric factor was searched.")
        else:
            draw_search(ax, table, x, space, colour)
            ax.set_xlabel(x)
        ax.set_ylabel(name)
        canvas.legend_below(figure, columns=2)
    return Drawing(name="search", title=title, figure=figure, table=table)


def search_factors(study: StudyFrame, subtitle: str) -> Drawing | None:
    """Returns small multiples: the objective against each factor of the space; None without."""
    table, space = search_table(study), study.info.get("space", {})
    if not space or not is_searched(study):
        return None
    name = objective_name(study)
    title = f"Search: {name} against each factor"
    columns = min(2, len(space))
    rows = math.ceil(len(space) / columns)
    with canvas.style():
        height = 1.5 + 2.6 * rows
        figure = canvas.new_figure(title, subtitle, study.incomplete, height)
        grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
        for ax, factor in zip(grid.flat, space, strict=False):
            draw_search(ax, table, factor, space, None)
            ax.set_xlabel(factor)
        for ax in grid.flat[len(space) :]:
            ax.remove()
        for ax in grid[:, 0]:
            ax.set_ylabel(name)
        canvas.legend_below(figure, columns=2)
    return Drawing(name="factors", title=title, figure=figure, table=table)


def main_factors(table: pd.DataFrame, space: PlainSpace) -> tuple[str | None, str | None]:
    """Returns the factor of the x axis and the factor of the colour, None where there is none.

    The learning rate and the batch size if they were searched, else the first numeric ones.
    """
    numeric = [name for name in space if _numeric(table, name)]
    x = "train.lr" if "train.lr" in numeric else next(iter(numeric), None)
    rest = [name for name in numeric if name != x]
    colour = "train.batch_size" if "train.batch_size" in rest else next(iter(rest), None)
    return x, colour


def draw_search(
    ax: Axes, table: pd.DataFrame, factor: str, space: PlainSpace, colour: str | None
) -> None:
    """Draws objective against one factor; trials without an objective lie on the axis.

    Those that were stopped are bars there, those that failed are crosses. Hollow squares are the
    search's random control.
    """
    x, ticks = _positions(table, factor, space)
    y = table["objective"]
    is_search = in_phases(table, lambda phase: phase.is_proposed)
    shown, lost = is_search & y.notna(), is_search & y.isna()
    # Where less is better the lowest are no failures: nothing is cut off.
    best = table["is_best"]
    more_is_better = not best.any() or y[best].max() == y[is_search].max()
    if ticks:
        ax.set_xticks(range(len(ticks)), canvas.tick_names(ticks), parse_math=False)
        ax.set_xlim(-0.5, len(ticks) - 0.5)
    else:
        axes.numeric_axis(ax, x, space[factor])
    if more_is_better and (bottom := axes.floor(y)) is not None:
        cut = y < bottom
        y = y.clip(lower=bottom)
        at = {"s": 90, "marker": "v", "facecolors": "none", "edgecolors": palette.BLACK}
        label = f"below the frame (n = {cut.sum()}, lowest {table['objective'].min():.3g})"
        ax.scatter(x[cut], y[cut], label=label, zorder=4, **at)
    if colour:
        _draw_coloured(ax, x[shown], y[shown], table.loc[shown, colour], space[colour])
    else:
        ax.scatter(x[shown], y[shown], s=38, color=palette.BLUE, label=f"trial (n = {shown.sum()})")
    ax.margins(y=0.12)  # Room for the ring and the star, which are wider than a point.
    for phase, control in _with_objective(table, lambda phase: phase.is_drawn):
        label = f"{phase.title} (n = {control.sum()})"
        look = {"marker": "s", "facecolors": "none", "edgecolors": palette.GREY, "zorder": 1.5}
        ax.scatter(x[control], y[control], s=24, label=label, **look)
    ring = {"facecolors": "none", "edgecolors": palette.BLACK, "linewidths": 1.8}
    label = f"on the Pareto front (n = {best.sum()})"
    if best.sum() == 1:
        label = canvas.in_lines(f"best trial: {table.loc[best, 'settings'].iloc[0]}")
    ax.scatter(x[best], y[best], s=190, label=label, zorder=4, **ring)
    bad = shown & (table["diverged"] > 0)
    if bad.any():
        ax.scatter(
            x[bad], y[bad], marker="x", color=palette.BLACK, s=60, label="a network diverged"
        )
    stopped = lost & (table["state"] == "stopped")
    _draw_on_axis(ax, x[stopped], _stopped(table[stopped]), {"marker": "|", "color": palette.DARK})
    label = f"no objective: failed (n = {(lost & ~stopped).sum()})"
    _draw_on_axis(ax, x[lost & ~stopped], label, {"marker": "X", "color": palette.ALARM})
    for phase, anchor in _with_objective(table, lambda phase: phase.is_base):
        label = f"{phase.title} (n = {anchor.sum()})"
        ax.scatter(x[anchor], y[anchor], s=150, label=label, zorder=5, **ANCHOR)


def _with_objective(
    table: pd.DataFrame, which: Callable[[Phase], bool]
) -> list[tuple[Phase, pd.Series]]:
    """Returns such phases with a trial that has an objective, and which rows those trials are."""
    found = [(phase, table["phase"] == phase.name) for phase in PHASES.values() if which(phase)]
    known = [(phase, mine & table["objective"].notna()) for phase, mine in found]
    return [(phase, mine) for phase, mine in known if mine.any()]


def _draw_on_axis(ax: Axes, x: pd.Series, label: str, look: dict[str, Any]) -> None:
    if len(x):
        look = {**look, "s": 70, "clip_on": False, "zorder": 5}
        ax.scatter(x, np.zeros(len(x)), transform=ax.get_xaxis_transform(), label=label, **look)


def _stopped(trials: pd.DataFrame) -> str:
    """Returns the label of stopped trials: how many, and at which levels."""
    levels = sorted(set(trials["level"].dropna()))
    text = f", at level {levels[0]}" if levels else ""
    text += f" to {levels[-1]}" if len(levels) > 1 else ""
    return f"stopped by the search (n = {len(trials)}{text})"


def _draw_coloured(
    ax: Axes, x: pd.Series, y: pd.Series, colour: pd.Series, factor: dict[str, Any]
) -> None:
    values = colour.astype(float)
    low = float(factor.get("low") or values.min())
    high = float(factor.get("high") or values.max())
    log = low > 0 and (colour.name == "train.batch_size" or bool(factor.get("log")))
    norm = LogNorm(low, high) if log else Normalize(low, high)
    look = {
        "s": 70,
        "edgecolors": palette.BLACK,
        "linewidths": 0.5,
        "label": f"trial (n = {len(x)})",
    }
    points = ax.scatter(x, y, c=values, cmap=COLOUR_MAP, norm=norm, **look)
    figure = ax.get_figure()
    assert isinstance(figure, Figure)
    bar = figure.colorbar(points, ax=ax, label=str(colour.name), pad=0.02)
    if bar.solids is not None:
        bar.solids.set_edgecolor("face")
    if low < high:
        ticks = axes.tick_values(low, high, is_log=log)
        bar.set_ticks(ticks, labels=[axes.tick_text(tick) for tick in ticks])
        bar.ax.minorticks_off()


def _numeric(table: pd.DataFrame, factor: str) -> bool:
    values = table[factor].dropna()
    return len(values) > 0 and all(is_number(value) for value in values)


def _positions(table: pd.DataFrame, factor: str, space: PlainSpace) -> tuple[pd.Series, list[str]]:
    """Returns where each trial stands on the factor's axis, and the labels of categories."""
    if _numeric(table, factor):
        return table[factor].astype(float), []
    labels = table[factor].map(str)
    choices = [str(choice) for choice in space[factor].get("choices") or []]
    order = [*choices, *sorted(set(labels) - set(choices))]
    # Steps of the golden ratio keep trials of one category apart without any randomness.
    apart = 0.4 * (table["trial"].astype(float) * 0.618 % 1 - 0.5)
    return labels.map(order.index) + apart, order
