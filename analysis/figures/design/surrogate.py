"""The surrogate's check: what it predicts of points that it did not see, and a second opinion."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from analysis.figures import canvas, palette
from analysis.figures.canvas import Drawing
from analysis.frame import StudyFrame
from analysis.importance.estimate import MIN_Q2
from analysis.importance.saved import Importances
from analysis.tables.design.points import RESPONSE

MOST_PANELS = 4
"""Densities that are drawn, evenly over all; the CSV has every one."""


def shown_densities(strip: pd.DataFrame, most: int = MOST_PANELS) -> list[float]:
    """Returns a few of the densities of a strip, the first and the last among them."""
    densities = sorted(strip["density"].astype(float), reverse=True)
    places = np.linspace(0, len(densities) - 1, min(most, len(densities))).round().astype(int)
    return [densities[place] for place in places]


def surrogate(study: StudyFrame, subtitle: str, design: Importances) -> Drawing | None:
    """Returns observed against predicted responses of left-out points; None without a surrogate."""
    table = design.left_out
    if table.empty:
        return None
    strip = design.strip.set_index("density")
    known = design.strip[design.strip["density"].isin(table["density"])]
    densities = shown_densities(known)
    title = f"Surrogate check: test {RESPONSE} of points left out"
    with canvas.style():
        rows = (len(densities) + 1) // 2
        figure = canvas.new_figure(title, subtitle, study.incomplete, 1.0 + 3.4 * rows)
        grid = list(figure.subplots(rows, 2, squeeze=False).flat)
        for ax, density in zip(grid, densities, strict=False):
            mine = table[table["density"] == density]
            facts = strip.loc[density]
            _draw(ax, mine, good=bool(facts["q2"] >= MIN_Q2))
            text = f"{100 * density:.3g} % of the weights, n = {len(mine)} points"
            quality = f"Q2 {facts['q2']:.2f}, {100 * facts['coverage']:.0f} % inside 95 %"
            canvas.panel_title(ax, f"{text}\n{quality}", size=9, across=2)
        for ax in grid[len(densities) :]:
            ax.axis("off")
    both = table.assign(inside=_inside(table))
    return Drawing(name="surrogate", title=title, figure=figure, table=both)


def _inside(table: pd.DataFrame) -> pd.Series:
    return (table["observed"] - table["predicted"]).abs() < 1.96 * table["deviation"]


def _draw(ax: Axes, mine: pd.DataFrame, *, good: bool) -> None:
    x, y = 100 * mine["predicted"].astype(float), 100 * mine["observed"].astype(float)
    ends = [float(min(x.min(), y.min())), float(max(x.max(), y.max()))]
    ax.plot(ends, ends, color=palette.DARK, linewidth=1)
    inside = _inside(mine)
    colour = palette.BLUE if good else palette.PALE
    bars = {"fmt": "none", "elinewidth": 0.6, "alpha": 0.5}
    for chosen, marker, ink in ((inside, "o", colour), (~inside, "x", palette.ALARM)):
        reach = 196 * mine["deviation"][chosen].astype(float)
        ax.errorbar(x[chosen], y[chosen], xerr=reach, ecolor=ink, **bars)  # type: ignore[arg-type]
        ax.plot(x[chosen], y[chosen], marker, color=ink, markersize=4.5)
    pad = 0.06 * (ends[1] - ends[0] or 1.0)
    ax.set_xlim(ends[0] - pad, ends[1] + pad)
    ax.set_ylim(ends[0] - pad, ends[1] + pad)
    ax.set_xlabel("Predicted from all others (%)", size=9)
    ax.set_ylabel("Observed (%)", size=9)
    ax.tick_params(labelsize=9)


def opinion_table(design: Importances) -> pd.DataFrame:
    """Returns S1 by process and by forest, ST, floor and R2 at the densities that are drawn."""
    if design.table.empty:
        return design.table
    known = design.strip[design.strip["density"].isin(design.table["density"])]
    rows = design.table[design.table["density"].isin(shown_densities(known))]
    facts = design.strip[["density", "q2", "z_sd", "coverage", "forest_r2", "trajectories"]]
    return rows.merge(facts, on="density")
