"""The Pareto front of a search for two values: accuracy of the ticket, and how small it is."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from analysis.figures import axes, canvas, palette
from analysis.figures.canvas import Drawing
from analysis.figures.search.search import ANCHOR
from analysis.frame import StudyFrame
from analysis.tables.objective import directions
from analysis.tables.trials import search_table
from lttune.records.best import non_dominated
from lttune.records.objectives import Direction

PARETO_COLUMNS = ["phase", "trial", "label", "accuracy", "density", "is_front"]
"""Columns of ``pareto_table``."""

WANTED: list[Direction] = ["maximize", "minimize"]
"""Of accuracy and of density: the objective whose front is drawn."""


def pareto_table(study: StudyFrame) -> pd.DataFrame:
    """Returns the two values of each complete trial of search, random control and anchor.

    ``accuracy`` is the validation accuracy at the ticket's density, which is ``density``; means
    over the trial's replicates. ``is_front`` is true on the Pareto front of its phase; the anchor
    has no front. Empty for another objective.
    """
    table = search_table(study)
    known = [isinstance(values, list) and len(values) == 2 for values in table["values"]]
    table = table[(table["state"] == "complete") & pd.Series(known, table.index, dtype=bool)]
    if directions(study) != WANTED or table.empty:
        return pd.DataFrame(columns=pd.Index(PARETO_COLUMNS))
    pairs = pd.DataFrame(list(table["values"]), columns=["accuracy", "density"], index=table.index)
    table = table.join(pairs.astype(float)).assign(is_front=False)
    for phase in ("search", "random"):
        mine = table.index[table["phase"] == phase]
        found = non_dominated(pairs.loc[mine].to_numpy(float).tolist(), WANTED)
        table.loc[mine.take(found), "is_front"] = True
    return table[PARETO_COLUMNS].reset_index(drop=True)


def pareto(study: StudyFrame, subtitle: str) -> Drawing | None:
    """Returns accuracy against density with the fronts as steps; None for another objective."""
    table = pareto_table(study)
    if table.empty:
        return None
    title = "Pareto front: accuracy of the ticket against its density"
    with canvas.style():
        figure = canvas.new_figure(title, subtitle, study.incomplete)
        ax = figure.subplots()
        look = {"color": palette.PALE, "facecolor": "none", "marker": "s", "size": 26.0}
        _draw_phase(ax, table[table["phase"] == "random"], "random control", "--", look)
        look = {"color": palette.BLUE, "facecolor": palette.BLUE, "marker": "o", "size": 40.0}
        _draw_phase(ax, table[table["phase"] == "search"], "search", "-", look)
        base = table[table["phase"] == "anchor"]
        if len(base):
            label = f"base configuration (n = {len(base)})"
            star = {"s": 150, "label": label, "zorder": 5, **ANCHOR}
            ax.scatter(100 * base["density"], 100 * base["accuracy"], **star)
        axes.density_axis(ax, 100 * table["density"])
        ax.set_xlabel("Density of the ticket (%), log scale")
        ax.set_ylabel("Its validation accuracy (%)")
        bottom = axes.floor(table["accuracy"])
        if bottom is not None:
            cut = int((table["accuracy"] < bottom).sum())
            note = f"{cut} trials lie below the frame: the CSV has them"
            ax.set_title(note, size=9, loc="left", color=palette.DARK)
            ax.set_ylim(bottom=100 * bottom)
        canvas.legend_below(figure, columns=2)
    return Drawing(name="pareto", title=title, figure=figure, table=table)


def _draw_phase(ax: Axes, mine: pd.DataFrame, name: str, dash: str, look: dict) -> None:
    if mine.empty:
        return
    style = {"marker": look["marker"], "s": look["size"], "facecolors": look["facecolor"]}
    style |= {"edgecolors": look["color"], "alpha": 0.75}
    label = f"{name} (n = {len(mine)})"
    ax.scatter(100 * mine["density"], 100 * mine["accuracy"], label=label, **style)
    front = mine[mine["is_front"]].sort_values(["density", "accuracy"])
    # A trial of this density or less is as accurate as the step says.
    style = {"where": "post", "color": look["color"], "linestyle": dash, "linewidth": 1.8}
    label = f"front of the {name} (n = {len(front)})"
    ax.step(100 * front["density"], 100 * front["accuracy"], label=label, **style)
