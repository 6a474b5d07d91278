"""Figures of the base configuration: accuracy and early-stopping step against density.

The ticket and the paper's two controls stand in the first ones (paper Figures 3 and 4); all other
controls have panels of their own, and what was trained on the target a figure of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes

from analysis.figures import axes, canvas, lines, palette
from analysis.figures.canvas import Drawing
from analysis.figures.lines import Look, Pen
from analysis.frame import StudyFrame
from analysis.tables.controls import LABELS, MAIN, on_target, shown_families
from analysis.tables.curves import anchor, curve_table
from analysis.tables.lines import line_table
from lttune.config.control import TRUNK

BRANCH_LOOKS = {
    TRUNK: Look(palette.BLUE, "o", "-", 2.2),
    "reinit": Look(palette.VERMILION, "s", (0, (6, 2)), 2.2),
    "random": Look(palette.GREEN, "^", (0, (1.5, 1.5)), 2.2),
}
TICKET = Look(palette.BLACK, "o", "-", 2.2)


@dataclass(frozen=True)
class Ordinate:
    """How one column of the records is shown."""

    column: str
    label: str
    factor: float
    """What a value is multiplied with on the axis: 100 for percent."""
    flags: Mapping[str, str]
    """Which counts stand in the legend, as for ``lines.with_counts``."""


BY_ACCURACY = Ordinate("test_accuracy", axes.ACCURACY, 100.0, lines.FLAGS)
BY_SPEED = Ordinate(
    "early_stop_step", axes.STEP, 1.0, {**lines.FLAGS, "censored": "in the last tenth"}
)

FEWEST_ALONE = 2
"""Replicates from which a t-interval is drawn: it has the figure to itself."""


def accuracy(study: StudyFrame, subtitle: str) -> Drawing | None:
    """Returns the central figure: test accuracy at the early-stopping step against density.

    None before the base configuration has a network.
    """
    title = "Test accuracy at the early-stopping step"
    return _density_figure(study, study.records, BY_ACCURACY, "accuracy", title, subtitle)


def early_stop(study: StudyFrame, subtitle: str) -> Drawing | None:
    """Returns the speed of learning: the step of minimum validation loss against density.

    None before the base configuration has a network.
    """
    title = "Early-stopping step (minimum validation loss)"
    return _density_figure(study, study.records, BY_SPEED, "early_stop", title, subtitle)


def target_accuracy(study: StudyFrame, subtitle: str) -> Drawing | None:
    """Returns the accuracy of tickets that were trained on the target, and of their controls.

    None where none was.
    """
    title = f"On the target ({target_text(study)}): test accuracy"
    records = on_target(study.records)
    return _density_figure(study, records, BY_ACCURACY, "transfer", title, subtitle)


def target_text(study: StudyFrame) -> str:
    """Returns how the target differs from the study's own task: "data fashion-mnist, lr 0.05"."""
    target = study.info.get("lottery", {}).get("target") or {}
    given = [f"{name} {value}" for name, value in target.items() if value is not None]
    return ", ".join(given) or "the study's own task"


def controls(study: StudyFrame, subtitle: str) -> Drawing | None:
    """Returns small multiples: a panel for each family of controls, the ticket in all of them.

    None without a control beside those of the first figure.
    """
    networks = anchor(study.records)
    if not set(networks["branch"]) - set(MAIN):
        return None
    table = line_table(networks, "test_accuracy", "branch")
    panels = shown_families(set(networks["branch"]))
    title = "Test accuracy of every control"
    with canvas.style():
        height = 1.3 + 2.5 * len(panels)
        figure = canvas.new_figure(title, subtitle, study.incomplete, height)
        grid = figure.subplots(len(panels), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
        below = lines.fit_axis(grid[0], table, 100.0)
        for ax, (family, names) in zip(grid, panels.items(), strict=True):
            shown: dict[str, Look] = {TRUNK: TICKET, **lines.looks(names)}
            lines.draw_lines(ax, table, shown, factor=100.0, banded=[TRUNK])
            _draw_dense(ax, table, 100.0, lines.FINE)
            note = f"; {below} means lie below the frame" if below and ax is grid[0] else ""
            canvas.panel_title(ax, f"{family}{note}", size=10)
            ax.set_ylabel(BY_ACCURACY.label)
            lines.label_ends(ax, table, shown, factor=100.0, names=_counted_names(table))
        grid[-1].set_xlabel(axes.DENSITY)
    return Drawing(name="controls", title=title, figure=figure, table=table)


def _counted_names(table: pd.DataFrame) -> dict[str, str]:
    means = table[table["statistic"] == "mean"]
    return {
        str(branch): lines.with_counts(LABELS.get(str(branch), str(branch)), mine)
        for branch, mine in means.groupby("curve")
    }


def _draw_dense(ax: Axes, table: pd.DataFrame, factor: float, pen: Pen, label: str = "") -> None:
    means = table[(table["statistic"] == "mean") & (table["curve"] == TRUNK)]
    dense = means[means["level"] == 0].dropna(subset=["value"])
    style = {"color": palette.BLACK, "linestyle": "--", "linewidth": pen.reference, "zorder": 2.2}
    for value, n in zip(dense["value"], dense["n"], strict=True):
        ax.axhline(factor * value, label=label.format(n=n) or None, **style)


def _density_figure(
    study: StudyFrame,
    records: pd.DataFrame,
    ordinate: Ordinate,
    name: str,
    title: str,
    subtitle: str,
) -> Drawing | None:
    if anchor(records).empty:
        return None
    table = curve_table(records[records["branch"].isin(MAIN)], ordinate.column)
    with canvas.style():
        least = axes.evaluation_step(study) if ordinate is BY_SPEED else 0.0
        whole, main = axes.whole_frame(table, least), axes.main_frame(table, least)
        height = 6.4 if main.cuts_curves else 5.0
        figure = canvas.new_figure(title, subtitle, study.incomplete, height)
        if main.cuts_curves:
            ax, below = figure.subplots(2, 1, sharex=True, height_ratios=(3.4, 1))
            draw_curves(below, table, ordinate, small=True)
            below.set_ylim(ordinate.factor * whole.low, ordinate.factor * whole.high)
            ends = (ordinate.factor * main.low, ordinate.factor * main.high)
            below.axhspan(*ends, color=palette.BLACK, alpha=0.09, linewidth=0)
            note = "Whole range; the panel above is the grey part of it"
            canvas.panel_title(below, note, size=9, color=palette.DARK)
            below.set_ylabel("")
            below.set_xlabel(axes.DENSITY)
        else:
            ax = figure.subplots()
            ax.set_xlabel(axes.DENSITY)
        draw_curves(ax, table, ordinate)
        ax.set_ylim(ordinate.factor * main.low, ordinate.factor * main.high)
        notes = [_ended_note(table)]
        if main.cuts_bands:
            notes.append("Some intervals reach beyond the frame: the table has their ends")
        canvas.panel_title(ax, "\n".join(filter(None, notes)), size=9, color=palette.DARK)
        canvas.legend_below(figure, columns=2)
    # The file has named its curves by branch since its first version.
    table = table.rename(columns={"curve": "branch"})
    return Drawing(name=name, title=title, figure=figure, table=table)


def draw_curves(ax: Axes, table: pd.DataFrame, ordinate: Ordinate, small: bool = False) -> None:
    """Draws a curve table: its branches, and the dense network dashed."""
    pen, looks = lines.BOLD, BRANCH_LOOKS
    if small:
        pen = pen._replace(marker=3)
        looks = {branch: look._replace(linewidth=1.4) for branch, look in looks.items()}
    # The dense network alone is no curve of the ticket.
    pruned = table[(table["curve"] != TRUNK) | (table["level"] > 0)]
    shown = {branch: look for branch, look in looks.items() if branch in set(pruned["curve"])}
    _draw_dense(ax, table, ordinate.factor, pen, "dense (mean, n = {n})")
    lines.draw_lines(
        ax,
        table,
        shown,
        factor=ordinate.factor,
        names=LABELS,
        banded=list(shown),
        fewest=FEWEST_ALONE,
        flags=ordinate.flags,
        pen=pen,
    )
    ax.set_ylabel(ordinate.label)
    if ordinate is BY_SPEED:
        axes.whole_steps(ax)


def _ended_note(table: pd.DataFrame) -> str:
    """Returns how many replicates the means lose to divergence; empty if none."""
    tickets = table[(table["curve"] == TRUNK) & (table["statistic"] == "replicate")]
    lost = tickets.loc[tickets["diverged"] > 0, "replicate"].nunique()
    if not lost:
        return ""
    left_out = f"leave {'it' if lost == 1 else 'them'} out"
    total = tickets["replicate"].nunique()
    return f"{lost} of {total} replicates ended by divergence (×): means to the right {left_out}"
