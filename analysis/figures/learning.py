"""Accuracy against the training step at a few densities (paper Figure 3)."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from analysis.figures import axes, canvas, lines
from analysis.figures.canvas import Drawing
from analysis.frame import StudyFrame
from analysis.tables.learning import learning_table, ticket_curves

EARLY = 0.2
"""Share of the training that has a panel of its own."""


def learning(study: StudyFrame, subtitle: str) -> Drawing | None:
    """Returns the tickets' learning curves, the beginning above the whole; None without any.

    It is of test accuracy where all evaluations have it (``train.eval_test``), else of validation
    accuracy.
    """
    curves = ticket_curves(study)
    if curves.empty:
        return None
    is_test = bool(curves["test_accuracy"].notna().all())
    table = learning_table(curves, "test_accuracy" if is_test else "val_accuracy")
    label = axes.ACCURACY if is_test else "Validation accuracy (%)"
    title = f"{label.removesuffix(' (%)')} against the training step"
    last = float(table["step"].max())
    with canvas.style():
        figure = canvas.new_figure(title, subtitle, study.incomplete, 6.4)
        early, whole = figure.subplots(2, 1)
        for ax, end in ((early, EARLY * last), (whole, last)):
            _draw(ax, table, end)
            ax.set_ylabel(label)
        canvas.panel_title(early, f"The first {100 * EARLY:.0f} % of the training", size=10)
        canvas.panel_title(whole, "All of it", size=10)
        whole.set_xlabel("Training step")
        canvas.legend_below(figure, columns=3)
    return Drawing(name="learning", title=title, figure=figure, table=table)


def _draw(ax: Axes, table: pd.DataFrame, end: float) -> None:
    """Draws the curves up to a step; the axis holds what comes after the first evaluations."""
    shown = lines.ordered_looks([str(level) for level in table["level"].unique()])
    for level, mine in table.groupby("level"):
        look = shown[str(level)]
        counts = sorted(set(mine["n"]))
        n = "-".join(str(one) for one in dict.fromkeys((counts[0], counts[-1])))
        name = f"{100 * mine['density'].iloc[0]:.3g} % (n = {n})"
        ax.plot(mine["step"], 100 * mine["mean"], color=look.color, linewidth=1.6, label=name)
        wide = mine[mine["n"] >= lines.FEWEST_BANDED]
        ends = (100 * wide["low"], 100 * wide["high"])
        lines.draw_band(ax, wide["step"], *ends, look.color, lines.FINE.band_alpha)
    ax.set_xlim(0, end)
    steps = table.loc[table["step"] <= end, "step"].drop_duplicates().sort_values()
    # Untrained networks are at chance: on one axis with it all curves look alike.
    after = steps.iloc[min(len(steps) - 1, max(1, len(steps) // 10))]
    inside = table[(table["step"] >= after) & (table["step"] <= max(end, after))]["mean"]
    low, high = 100 * float(inside.min()), 100 * float(inside.max())
    pad = max(0.06 * (high - low), 0.05)
    ax.set_ylim(max(low - pad, 0), min(high + pad, 100.2))
