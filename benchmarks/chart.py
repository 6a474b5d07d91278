"""The chart of the documents: what a step costs at each density."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from analysis.figures import palette
from analysis.figures.canvas import Drawing, new_figure, style, write
from benchmarks.loops import TITLES

__all__ = ["drawing", "write"]

COLOURS = {
    "sparse": palette.BLUE,
    "torch": palette.SKY,
    "eager": palette.VERMILION,
    "dataloader": palette.PALE,
}
RAISED = {"eager": 6, "torch": -6}
"""Points by which a curve's name stands higher than its end, where two curves end together."""


def step_table(result: Mapping[str, Any]) -> pd.DataFrame:
    """Returns microseconds of a step, without and with evaluations, by loop and density."""
    return pd.DataFrame(
        [
            {
                "loop": name,
                "density": level["density"],
                "step_us": level["step_us"][name],
                "step_with_evaluation_us": level["step_with_evaluation_us"][name],
            }
            for name in TITLES
            for level in result["levels"]
        ]
    )


def percent(density: float) -> str:
    """Returns a density as the documents write it."""
    return f"{100 * density:.0f} %" if density > 0.1 else f"{100 * density:.1f} %"


def drawing(result: Mapping[str, Any]) -> Drawing:
    """Returns the chart with its table."""
    table, machine, settings = step_table(result), result["machine"], result["settings"]
    title = "Training time per step"
    subtitle = (
        f"{settings['network']}, {settings['dataset']}, batch {settings['batch_size']}, one thread "
        f"of {machine['cpu']}; dashed: without evaluations"
    )
    with style():
        figure = new_figure(title, subtitle, "", height=4.4)
        draw_steps(figure.add_subplot(), table)
    return Drawing(name="speed", title=title, figure=figure, table=table)


def draw_steps(ax: Axes, table: pd.DataFrame) -> None:
    """Draws a curve for each loop, dense at the left."""
    for name, title in TITLES.items():
        rows = table[table["loop"] == name]
        colour, marks = COLOURS[name], {"marker": "o", "markersize": 4}
        whole = rows["step_with_evaluation_us"]
        ax.plot(rows["density"], whole, color=colour, **marks)
        ax.plot(rows["density"], rows["step_us"], color=colour, linestyle="--", linewidth=1)
        end = float(rows["density"].iloc[-1]), float(whole.iloc[-1])
        away = (8, RAISED.get(name, 0))
        ax.annotate(title, end, away, textcoords="offset points", va="center", color=colour)
    densities = sorted(table["density"].unique(), reverse=True)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlim(densities[0] * 1.15, densities[-1] / 3.5)
    ax.xaxis.set_major_locator(FixedLocator(densities))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda density, _: percent(density)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda us, _: f"{us:,.0f}"))
    ax.set_xlabel("density (share of weights left)")
    ax.set_ylabel("microseconds a step")
