"""The figure of the widths: how much of each factor's range is good, against density."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from analysis.figures import axes, canvas, lines
from analysis.figures.canvas import Drawing
from analysis.figures.lines import Look
from analysis.frame import StudyFrame
from analysis.tables.design.readings import READINGS


def width(study: StudyFrame, subtitle: str, table: pd.DataFrame) -> Drawing | None:
    """Returns shares of the ranges that were looked at; None without a known width."""
    known = table[table.groupby(["source", "factor"])["width"].transform("count") > 0]
    if known.empty:
        return None
    labels = known["factor"] + known["source"].map(" ({})".format)
    known = known.assign(label=labels)
    shown = lines.looks(list(dict.fromkeys(labels)))
    title = "How wide is good: share of the range that was looked at"
    with canvas.style():
        legend_rows = (len(shown) + 2) // 3
        figure = canvas.new_figure(title, subtitle, study.incomplete, 4.4 + 0.2 * legend_rows)
        grid = figure.subplots(1, 2, sharey=True)
        for ax, name in zip(grid, READINGS, strict=True):
            _draw(ax, known[known["reading"] == name], shown)
            axes.density_axis(ax, 100 * known["density"].astype(float), most=5)
            canvas.panel_title(ax, name.capitalize(), size=10, across=2)
            ax.set_xlabel(axes.DENSITY, size=9)
        grid[0].set_ylim(-0.05, 1.08)
        grid[0].set_ylabel("Width / whole range")
        canvas.legend_below(figure, columns=3)
    return Drawing(name="widths", title=title, figure=figure, table=table)


def _draw(ax: Axes, table: pd.DataFrame, shown: dict[str, Look]) -> None:
    for place, (label, look) in enumerate(shown.items()):
        mine = table[table["label"] == label].sort_values("density", ascending=False)
        # Apart by a hair, so that intervals of several factors do not hide each other.
        x = 100 * mine["density"].astype(float) * 1.012 ** (place - len(shown) / 2)
        y, low, high = (
            mine[name].astype(float) / mine["whole"].astype(float)
            for name in ("width", "low", "high")
        )
        ax.plot(x, y, label=label, **look._asdict(), markersize=4.5)
        ax.vlines(x, low, high, color=look.color, linewidth=1)
