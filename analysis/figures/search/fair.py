"""The figure of a fair comparison: how each value was tuned, and what its tickets are worth."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from analysis.figures import axes, canvas, lines, palette
from analysis.figures.canvas import Drawing
from analysis.figures.lines import Look
from analysis.frame import StudyFrame
from analysis.tables.fair_comparison import choice_table, compared_networks
from analysis.tables.lines import line_table
from analysis.tables.objective import objective_name
from analysis.tables.sweeps import is_numeral
from lttune.config.control import TRUNK

CONTROL = "reinit"
"""The control whose difference is drawn: the paper's own test of a winning ticket."""
LEAD = "Minus new weights (points)"


def fair(study: StudyFrame, subtitle: str) -> Drawing | None:
    """Returns the tuning of each value, its accuracy and its lead over new weights in its mask.

    None where nothing was tuned.
    """
    choices = choice_table(study)
    if choices.empty:
        return None
    networks = compared_networks(study)
    shown = lines.looks(list(dict.fromkeys(choices["value"])))
    trunk = networks[networks["branch"] == TRUNK]
    accuracy = line_table(trunk, "test_accuracy", "value")
    lead = line_table(_lead(networks), "difference", "value")
    panels = [(accuracy, axes.ACCURACY), (lead, LEAD)]
    panels = [(table, label) for table, label in panels if len(table)]
    title = f"Fair comparison of {study.info.get('compared')}"
    factors = list(dict.fromkeys(choices["factor"]))
    rows = [factors, *([label] * len(factors) for _, label in panels)]
    with canvas.style():
        figure = canvas.new_figure(title, subtitle, study.incomplete, 3.4 + 2.6 * len(panels))
        places = figure.subplot_mosaic(rows)
        for factor in factors:
            _draw_tuning(places[factor], choices[choices["factor"] == factor], shown)
            places[factor].set_xlabel(f"{factor} (ring: chosen)", size=10)
        places[factors[0]].set_ylabel(objective_name(study))
        for table, label in panels:
            ax, mine = places[label], set(table["curve"])
            drawn = {name: look for name, look in shown.items() if name in mine}
            lines.draw_lines(ax, table, drawn, factor=100.0, banded=list(drawn))
            lines.fit_axis(ax, table, 100.0)
            axes.density_axis(ax, 100 * accuracy["density"].astype(float))
            ax.set_ylabel(label)
            ax.set_xlabel(axes.DENSITY)
        if len(lead):
            places[LEAD].axhline(0, color=palette.BLACK, linewidth=1.2)
        canvas.legend_below(figure, columns=3, ax=places[rows[-1][0]])
    tables = [choices.assign(measure="tuning"), accuracy.assign(measure="test_accuracy")]
    tables.append(lead.assign(measure=f"difference from {CONTROL}"))
    table = pd.concat([one for one in tables if len(one)], ignore_index=True)
    return Drawing(name="fair", title=title, figure=figure, table=table)


def _lead(networks: pd.DataFrame) -> pd.DataFrame:
    """Returns tickets with ``difference``, their accuracy minus that of the control's network."""
    key = ["value", "replicate", "level"]
    trunk, control = (networks[networks["branch"] == name] for name in (TRUNK, CONTROL))
    both = trunk.merge(control[[*key, "test_accuracy"]], on=key, suffixes=("", "_control"))
    return both.assign(difference=both["test_accuracy"] - both["test_accuracy_control"])


def _draw_tuning(ax: Axes, choices: pd.DataFrame, shown: dict[str, Look]) -> None:
    choices = choices.dropna(subset=["objective"])
    numeric = all(is_numeral(str(tried)) for tried in choices["tried"])
    for value, look in shown.items():
        mine = choices[choices["value"] == value]
        x, best = mine["tried"].astype(float if numeric else str), mine["chosen"]
        dots = {"color": look.color, "linestyle": ""}
        label = f"{value} (n = {len(mine)})"
        ax.plot(x, mine["objective"], marker=look.marker, markersize=4, label=label, **dots)
        ring = {"markersize": 12, "markerfacecolor": "none", "markeredgewidth": 1.6}
        ax.plot(x[best], mine.loc[best, "objective"], marker="o", **ring, **dots)
    if numeric and len(choices):
        tried = choices["tried"].astype(float)
        axes.numeric_axis(ax, tried, {"log": bool((tried > 0).all())})
    if (low := axes.floor(choices["objective"])) is not None:
        top = choices["objective"].max()
        ax.set_ylim(low, top + 0.15 * (top - low))
        below = int((choices["objective"] < low).sum())
        ax.text(0.99, 0.03, f"{below} below", transform=ax.transAxes, ha="right", size=9)
