"""The figure of the confirmation: accuracy of what was chosen, and its lead over the base."""

from __future__ import annotations

import pandas as pd

from analysis.figures import axes, canvas, lines, palette
from analysis.figures.canvas import Drawing
from analysis.figures.lines import Look
from analysis.frame import StudyFrame
from analysis.tables.confirmation import confirmed_networks, confirmed_trials, difference_curves
from analysis.tables.lines import line_table
from analysis.tables.objective import reading_density
from lttune.config.fields import BASE_SETTINGS


def confirmation(study: StudyFrame, subtitle: str) -> Drawing | None:
    """Returns test accuracy against density, and differences; None before there is any."""
    trials = confirmed_trials(study)
    networks = confirmed_networks(study, trials)
    if networks.empty:
        return None
    table = line_table(networks, "test_accuracy", "name")
    apart = difference_curves(networks)
    title = "Confirmation on fresh replicates: test accuracy"
    # Some may wait for their first network.
    trials = trials[trials["name"].isin(networks["name"])]
    bases = trials.loc[trials["is_base"], "name"].unique()
    shown = lines.looks(list(dict.fromkeys(trials["name"])))
    shown |= {name: Look(palette.BLACK, "o", "-", 2.2) for name in bases}
    chosen = {name: look for name, look in shown.items() if name in set(apart["curve"])}
    pairs = zip(trials["name"], trials["settings"], strict=True)
    said = {name: _legend(settings, name) for name, settings in pairs}
    with canvas.style():
        figure = canvas.new_figure(title, subtitle, study.incomplete, 6.8 if chosen else 5.0)
        grid = figure.subplots(1 + bool(chosen), 1, sharex=True, squeeze=False)[:, 0]
        lines.draw_lines(grid[0], table, shown, factor=100.0, names=said)
        lines.fit_axis(grid[0], table, 100.0)
        grid[0].set_ylabel(axes.ACCURACY)
        if chosen:
            lines.draw_lines(grid[1], apart, chosen, factor=100.0, banded=list(chosen))
            lines.fit_axis(grid[1], apart, 100.0)
            grid[1].axhline(0, color=palette.BLACK, linewidth=1.2)
            grid[1].set_ylabel("Minus the base (points)")
        for ax in grid:
            if (at := reading_density(study)) is not None:
                ax.axvline(100 * at, color=palette.DARK, linestyle=":", linewidth=1.2)
            axes.density_axis(ax, 100 * table["density"].astype(float))
        grid[-1].set_xlabel(axes.DENSITY)
        canvas.legend_below(figure, columns=2)
    both = [table.assign(measure="test_accuracy"), apart.assign(measure="difference")]
    both = pd.concat([part for part in both if len(part)], ignore_index=True)
    return Drawing(name="confirmation", title=title, figure=figure, table=both)


def _legend(settings: str, name: str) -> str:
    """Returns a configuration in a legend: its settings, and in a line where it comes from."""
    return settings if settings == BASE_SETTINGS else f"{canvas.in_lines(settings)}\n{name}"
