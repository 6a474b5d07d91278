"""The forest plot of claims: estimates with the intervals by which they were judged."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from analysis.figures import canvas, palette
from analysis.figures.canvas import Drawing

VERDICT_LOOKS: dict[str, dict[str, Any]] = {
    "supported": {"marker": "o", "markerfacecolor": palette.BLUE, "color": palette.BLUE},
    "supported, smaller": {"marker": "o", "markerfacecolor": palette.PAPER, "color": palette.BLUE},
    "contradicted": {
        "marker": "X",
        "markerfacecolor": palette.VERMILION,
        "color": palette.VERMILION,
    },
    "inconclusive": {"marker": "D", "markerfacecolor": palette.PAPER, "color": palette.GREY},
}
NUMBERS = ("estimate", "low", "high", "n", "p", "p_adjusted")
"""What the figure's table has of each claim."""


def forest(rows: list[dict[str, Any]], subtitle: str, incomplete: str) -> Drawing:
    """Draws estimates with their intervals, a panel for each unit, best told by marker and word."""
    panels = {row["axis"]: [r for r in rows if r["axis"] == row["axis"]] for row in rows}
    heights = [len(mine) + 1.6 for mine in panels.values()]
    title = "Claims: estimates with their intervals"
    with canvas.style():
        figure = canvas.new_figure(title, subtitle, incomplete, 1.2 + 0.34 * sum(heights))
        grid = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
        for ax, (unit, mine) in zip(grid, panels.items(), strict=True):
            _draw_panel(ax, unit, mine)
    names = ("id", "scale", "verdict", *NUMBERS, "unit")
    table = pd.DataFrame([{name: row[name] for name in names} for row in rows])
    return Drawing(name="claims", title=title, figure=figure, table=table)


def _draw_panel(ax: Axes, unit: str, rows: list[dict[str, Any]]) -> None:
    for place, row in enumerate(rows):
        at = row["factor"] * row["estimate"]
        look = VERDICT_LOOKS.get(row["verdict"], VERDICT_LOOKS["inconclusive"])
        ends = [row["factor"] * end for end in (row["low"], row["high"])]
        if any(math.isfinite(end) for end in ends):
            ends = [end if math.isfinite(end) else at for end in ends]
            ax.plot(ends, [place, place], color=look["color"], linewidth=1.6)
        ax.plot([at], [place], linestyle="none", markersize=7.5, **look)
    null = 1.0 if unit == "ratio" else 0.0
    ax.axvline(null, color=palette.DARK, linewidth=0.9, zorder=0.5)
    names = [f"{row['id']}  {row['glyph']} {row['verdict']}, n = {row['n']}" for row in rows]
    ax.set_yticks(range(len(rows)), canvas.tick_names(names), fontsize=9, parse_math=False)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.grid(axis="y", visible=False)
    ax.set_xlabel(unit or "estimate", size=9, parse_math=False)
