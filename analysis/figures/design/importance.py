"""What a space-filling design says: which factor matters at which density."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from analysis.figures import axes, canvas, lines, palette
from analysis.figures.canvas import Drawing
from analysis.figures.lines import Look
from analysis.frame import StudyFrame
from analysis.importance.estimate import MIN_Q2
from analysis.importance.saved import Importances
from analysis.tables.design.points import RESPONSE
from lttune.config.design import INERT


def importance_figure(study: StudyFrame, subtitle: str, curves: Importances) -> Drawing:
    """Returns S1 and ST against density over a strip of variances and of the surrogate's Q2."""
    title = f"Importance: shares of the variance of test {RESPONSE}"
    with canvas.style():
        figure = canvas.new_figure(title, subtitle, study.incomplete, 7.6)
        grid = figure.subplots(2, 2, height_ratios=(2.2, 1))
        table = curves.table
        names = list(dict.fromkeys(table["factor"])) if len(table) else []
        shown = lines.looks([name for name in names if name != INERT])
        words = (("first", "S1: alone"), ("total", "ST: with all interactions"))
        for ax, (index, text) in zip(grid[0], words, strict=True):
            if len(table):
                _draw_index(ax, table, index, shown)
            else:
                canvas.note_empty(ax, _status(curves))
            ax.set_ylim(-0.05, 1.05)
            canvas.panel_title(ax, text, size=10, across=2)
        _draw_variances(grid[1, 0], curves.strip)
        _draw_quality(grid[1, 1], curves.strip)
        for ax in grid.flat:
            axes.density_axis(ax, 100 * curves.strip["density"].astype(float), most=5)
        for ax in grid[1]:
            ax.set_xlabel(axes.DENSITY, size=9)
        # Those of ST: its panel has the floor beside all that the other has.
        canvas.legend_below(figure, columns=3, ax=grid[0, 1])
    both = curves.strip.merge(table, on="density", how="left") if len(table) else curves.strip
    return Drawing(
        name="importance", title=title, figure=figure, table=study.marked(both, curves.sample)
    )


def _draw_index(ax: Axes, table: pd.DataFrame, index: str, shown: dict[str, Look]) -> None:
    x = 100 * table["density"].astype(float)
    inert = table[table["factor"] == INERT]
    if len(inert):
        low, high = inert[f"{index}_low"].clip(upper=0), inert[f"{index}_high"]
        lines.draw_band(ax, x[inert.index], low, high, palette.PALE, 0.55, "inert control factor")
    if index == "total":
        floor = table.drop_duplicates("density")
        look = {"color": palette.DARK, "linestyle": ":", "linewidth": 1.4}
        ax.plot(x[floor.index], floor["floor"], label="floor of ST by permutation", **look)
    for factor, look in shown.items():
        mine = table[table["factor"] == factor]
        at = x[mine.index]
        lines.draw_band(ax, at, mine[f"{index}_low"], mine[f"{index}_high"], look.color, 0.15)
        ax.plot(at, mine[index], label=str(factor), **look._asdict(), markersize=4.5)


def _draw_variances(ax: Axes, strip: pd.DataFrame) -> None:
    x = 100 * strip["density"].astype(float)
    for name, label, look in (
        ("signal_variance", "factors", {"color": palette.BLUE, "marker": "o"}),
        ("seed_variance", "replicates", {"color": palette.DARK, "marker": "s", "linestyle": "--"}),
    ):
        spread = 100 * np.sqrt(strip[name].astype(float))
        ax.plot(x, spread, label=f"deviation by {label}", markersize=4, **look)  # type: ignore[arg-type]
    if (strip[["signal_variance", "seed_variance"]].astype(float) > 0).any(axis=None):
        axes.log_scale(ax)
    text = "Standard deviation (points):\n● factors, ■ replicates"
    canvas.panel_title(ax, text, size=9, across=2)


def _draw_quality(ax: Axes, strip: pd.DataFrame) -> None:
    x = 100 * strip["density"].astype(float)
    ax.plot(x, strip["q2"].astype(float), color=palette.DARK, marker="D", markersize=4)
    ax.axhline(MIN_Q2, color=palette.ALARM, linestyle="--", linewidth=1)
    ax.set_ylim(min(0.0, float(np.nan_to_num(strip["q2"].astype(float)).min())) - 0.05, 1.05)
    n = sorted(set(strip["trajectories"]))
    text = f"{n[0]}" if len(n) == 1 else f"{n[0]} to {n[-1]}" if n else "0"
    text = f"Surrogate's Q2, gate at {MIN_Q2}\n(n = {text} trajectories)"
    canvas.panel_title(ax, text, size=9, across=2)


def _status(curves: Importances) -> str:
    reasons = [reason for reason in curves.strip["reason"] if reason]
    text = reasons[0] if reasons else curves.ended or "There is no response."
    words, out = text.split(), [""]
    for word in words:  # Nothing wraps text inside of axes for us.
        if len(out[-1]) + len(word) > 34:
            out.append("")
        out[-1] = f"{out[-1]} {word}".strip()
    return "\n".join(out)
