"""The Pareto front of a search for two values: accuracy of the ticket, and how small it is."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from analysis.figures import axes, canvas, palette
from analysis.figures.canvas import Drawing
from analysis.figures.lines import Look
from analysis.figures.search.search import ANCHOR
from analysis.frame import StudyFrame
from analysis.tables.objective import directions
from analysis.tables.trials import search_table
from lttune.config.phase import PHASES, Phase, phase_names
from lttune.records.best import non_dominated
from lttune.records.objectives import Direction

PARETO_COLUMNS = ["phase", "trial", "settings", "label", "accuracy", "density", "is_front"]
"""Columns of ``pareto_table``."""

SOUGHT = Look(palette.BLUE, "o", "-", 1.8)
DRAWN = Look(palette.PALE, "s", "--", 1.8)
"""Of trials that a sampler proposed, and of those that chance drew: these are hollow."""

WANTED: list[Direction] = ["maximize", "minimize"]
"""Of accuracy and of density: the objective whose front is drawn."""


def pareto_table(study: StudyFrame) -> pd.DataFrame:
    """Returns the two values of each complete trial of the space's phases and of the base's.

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
    for phase in phase_names(lambda phase: phase.is_of_space):
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
        # The trials of chance lie below those that were sought.
        for phase in sorted(PHASES.values(), key=lambda p: (p.is_base, not p.is_drawn)):
            mine = table[table["phase"] == phase.name]
            if len(mine):
                (_draw_base if phase.is_base else _draw_phase)(ax, mine, phase)
        axes.density_axis(ax, 100 * table["density"])
        ax.set_xlabel(axes.TICKET_DENSITY)
        ax.set_ylabel(axes.TICKET_ACCURACY)
        bottom = axes.floor(table["accuracy"])
        if bottom is not None:
            cut = int((table["accuracy"] < bottom).sum())
            note = f"{cut} trials lie below the frame: the CSV has them"
            canvas.panel_title(ax, note, size=9, color=palette.DARK)
            ax.set_ylim(bottom=100 * bottom)
        canvas.legend_below(figure, columns=2)
    return Drawing(name="pareto", title=title, figure=figure, table=table)


def _draw_base(ax: Axes, mine: pd.DataFrame, phase: Phase) -> None:
    label = f"{phase.title} (n = {len(mine)})"
    star = {"s": 150, "label": label, "zorder": 5, **ANCHOR}
    ax.scatter(100 * mine["density"], 100 * mine["accuracy"], **star)


def _draw_phase(ax: Axes, mine: pd.DataFrame, phase: Phase) -> None:
    look = DRAWN if phase.is_drawn else SOUGHT
    fill = look.color if look is SOUGHT else "none"
    size = 40.0 if look is SOUGHT else 26.0
    style = {"marker": look.marker, "s": size, "facecolors": fill}
    style |= {"edgecolors": look.color, "alpha": 0.75}
    label = f"{phase.title} (n = {len(mine)})"
    ax.scatter(100 * mine["density"], 100 * mine["accuracy"], label=label, **style)
    front = mine[mine["is_front"]].sort_values(["density", "accuracy"])
    # A trial of this density or less is as accurate as the step says.
    style = {"where": "post", "color": look.color, "linestyle": look.linestyle}
    style |= {"linewidth": look.linewidth}
    label = f"front of the {phase.title} (n = {len(front)})"
    ax.step(100 * front["density"], 100 * front["accuracy"], label=label, **style)
