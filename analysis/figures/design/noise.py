"""The figure of the noise: standard deviations by where they come from, against density."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.figures import axes, canvas, palette
from analysis.figures.canvas import Drawing
from analysis.figures.lines import Look
from analysis.frame import StudyFrame
from analysis.tables.noise import WORDS

COMPONENT_LOOKS = dict(
    zip(
        WORDS.values(),
        (
            Look(palette.BLUE, "o", "-"),
            Look(palette.VERMILION, "s", (0, (6, 2))),
            Look(palette.DARK, "^", (0, (1.5, 1.5))),
        ),
        strict=True,
    )
)
"""Component -> how it is drawn."""


def noise(study: StudyFrame, subtitle: str, table: pd.DataFrame) -> Drawing | None:
    """Returns a panel for each source of ``noise_table``; None of an empty one."""
    if table.empty:
        return None
    sources = list(dict.fromkeys(table["source"]))
    title = "Where the noise of test accuracy comes from"
    columns = min(2, len(sources))
    rows = (len(sources) + 1) // 2
    with canvas.style():
        figure = canvas.new_figure(title, subtitle, study.incomplete, 1.6 + 2.4 * rows)
        grid = list(figure.subplots(rows, columns, squeeze=False).flat)
        for ax, source in zip(grid, sources, strict=False):
            mine = table[table["source"] == source]
            for component, look in COMPONENT_LOOKS.items():
                one = mine[mine["component"] == component].sort_values("density")
                # Zero, which restricted likelihood often finds, has no place on a log axis.
                spread = 100 * np.sqrt(one["variance"].astype(float).where(one["variance"] > 1e-10))
                x = 100 * one["density"].astype(float)
                ax.plot(x, spread, label=component, **look._asdict(), markersize=4)
            axes.log_scale(ax)
            axes.density_axis(ax, 100 * mine["density"].astype(float), most=5)
            n = " to ".join(str(end) for end in sorted({mine["n"].min(), mine["n"].max()}))
            canvas.panel_title(ax, f"{source} (n = {n})", size=9.5, across=columns)
            ax.set_ylabel("SD (points)", size=9)
            ax.tick_params(labelsize=9)
        for ax in grid[len(sources) :]:
            ax.axis("off")
        for ax in grid[max(len(sources) - columns, 0) : len(sources)]:
            ax.set_xlabel(axes.DENSITY, size=9)
        canvas.legend_below(figure, columns=3)
    return Drawing(name="noise", title=title, figure=figure, table=table)
