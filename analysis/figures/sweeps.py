"""Figures of the sweeps: for each factor accuracy, gain and early-stopping step of every value."""

from __future__ import annotations

import re

import pandas as pd
from matplotlib.axes import Axes

from analysis.figures import axes, canvas, lines, palette
from analysis.figures.canvas import Drawing
from analysis.figures.lines import Look
from analysis.frame import StudyFrame
from analysis.tables.objective import margin_of
from analysis.tables.same_setting import elsewhere
from analysis.tables.sweeps import BASE_VALUE, is_numeral, sweep_networks, sweep_table
from analysis.tables.trials import settings

PANELS = {
    "test_accuracy": (axes.ACCURACY, 100.0),
    "gain": ("Gain over its own dense network (points)", 100.0),
    "early_stop_step": (axes.STEP, 1.0),
}
"""Measure -> its title, and what its values are multiplied with."""

MOST_BANDS = 4
"""Values up to which each has its band; of more only the paper's is legible."""


def sweeps(study: StudyFrame, subtitle: str) -> list[Drawing]:
    """Returns a figure for each factor that was swept."""
    networks = sweep_networks(study)
    return [
        _figure(study, str(factor), mine, f"sweep-{number}-{_slug(str(factor))}", subtitle)
        for number, (factor, mine) in enumerate(networks.groupby("factor", sort=False), 1)
    ]


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-").lower()[:40] or "factor"


def _figure(
    study: StudyFrame, factor: str, networks: pd.DataFrame, stem: str, subtitle: str
) -> Drawing:
    tables = {measure: sweep_table(networks, measure) for measure in PANELS}
    shown, names = _looks(networks), _names(networks)
    place = elsewhere(networks, settings(study))
    title = f"Sweep of {factor}" + (f" on {place}" if place else "")
    with canvas.style():
        height = max(6.6, 4.6 + 0.21 * len(shown))
        figure = canvas.new_figure(title, subtitle, study.incomplete, height)
        grid = figure.subplots(2, 2)
        for ax, (measure, (name, scale)) in zip(grid.flat, PANELS.items(), strict=False):
            if measure == "gain":
                _draw_margin(ax, study)
            black = [value for value, look in shown.items() if look.color == palette.BLACK]
            banded = list(shown) if len(shown) <= MOST_BANDS else black
            lines.draw_lines(ax, tables[measure], shown, factor=scale, names=names, banded=banded)
            is_step = name == axes.STEP
            least = axes.evaluation_step(study) if is_step else 0.0
            below = lines.fit_axis(ax, tables[measure], scale, cut=not is_step, least=least)
            if is_step:
                axes.whole_steps(ax)
            note = f"\n{below} means below the frame" if below else ""
            canvas.panel_title(ax, f"{name}{note}", size=9.5, across=2)
            ax.set_xlabel(axes.DENSITY, size=9)
            ax.tick_params(labelsize=9)
        grid[1, 1].axis("off")
        handles, labels = grid[0, 0].get_legend_handles_labels()
        where = {"loc": "upper left", "title": factor, "fontsize": 9, "alignment": "left"}
        legend = grid[1, 1].legend(handles, labels, **where)
        for text in (*legend.get_texts(), legend.get_title()):
            text.set_parse_math(False)
    table = pd.concat([t.assign(measure=m) for m, t in tables.items()], ignore_index=True)
    return Drawing(name=stem, title=title, figure=figure, table=table)


def _looks(networks: pd.DataFrame) -> dict[str, Look]:
    """Returns a look for each value: the marked one black, numbers from dark to light."""
    marks = _marks(networks)
    is_ordered = sum(is_numeral(value) for value in marks) >= len(marks) / 2
    shades = (lines.ordered_looks if is_ordered else lines.looks)(list(marks))
    return {
        value: Look(palette.BLACK, "o", "-", 2.4) if mark else shades[value]
        for value, mark in marks.items()
    }


def _names(networks: pd.DataFrame) -> dict[str, str]:
    words = {"paper": " (the paper's)", "base": " (base)", "": ""}
    return {
        value: value if value == BASE_VALUE else f"{value}{words[mark]}"
        for value, mark in _marks(networks).items()
    }


def _marks(networks: pd.DataFrame) -> dict[str, str]:
    marks = networks.groupby("value", sort=False)["mark"].first()
    return {str(value): str(mark) for value, mark in marks.items()}


def _draw_margin(ax: Axes, study: StudyFrame) -> None:
    margin = 100 * margin_of(study)
    ax.axhspan(-margin, margin, color=palette.BLACK, alpha=0.09, linewidth=0)
    ax.axhline(0, color=palette.DARK, linewidth=0.8)
