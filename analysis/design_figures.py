"""What a space-filling design says: which factor matters at which density."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from analysis import axes, canvas, lines
from analysis.canvas import Drawing
from analysis.frame import Study
from analysis.importance import importance_by_density, saved
from analysis.importance.estimate import MIN_Q2
from analysis.importance.saved import Tables
from analysis.lines import Look
from analysis.responses import response_table
from analysis.sweeps import point_name
from analysis.trials import settings
from lttune.design import INERT, Factor
from lttune.objectives import GRID

DENSITIES = GRID[::2]
"""Densities at which importances are estimated, every other of the grid: each takes seconds."""

FEWEST = 16
"""Points of a design below which a surrogate is not tried."""

RESPONSE = "accuracy"
"""Test accuracy: gain is zero at density 1 by definition, and has nothing to share there."""


def factors(study: Study) -> list[Factor]:
    """Returns the factors that the design varies, as ``study.json`` declares them."""
    return [Factor.from_plain(values) for values in study.info.get("factors") or []]


def design_points(study: Study) -> pd.DataFrame:
    """Returns one row for each point of the design: ``trial``, ``role``, ``inert``, its values.

    Replicates of a point are trials of their own; ``trial`` is the first, ``trials`` lists all.
    """
    base = settings(study)
    rows: dict[str, dict[str, object]] = {}
    inert = study.records.groupby("trial")["inert"].first() if "inert" in study.records else {}
    for trial in study.trials[study.trials["phase"] == "design"].to_dict("records"):
        name, number = point_name(str(trial["label"])), trial["number"]
        values = {**base, **(trial["hparams"] or {}), INERT: inert.get(number)}
        row = rows.setdefault(name, {**values, "trial": number, "role": trial["role"]})
        row.setdefault("trials", []).append(number)  # type: ignore[attr-defined]
        if row[INERT] is None:
            row[INERT] = values[INERT]
    return pd.DataFrame(list(rows.values()))


def importance_tables(study: Study) -> Tables | str:
    """Returns importances at each density from the design's trials, or why there are none.

    They are kept in the study's folder, and estimated once for the same networks.
    """
    declared = factors(study)
    if not declared:
        return "study.json declares no factors for the design, so importances are not estimated."
    points = design_points(study)
    first = {number: row["trial"] for row in points.to_dict("records") for number in row["trials"]}
    tickets = study.records[
        (study.records["phase"] == "design") & (study.records["branch"] == "trunk")
    ]
    responses = response_table(tickets, grid=DENSITIES)
    responses = responses.assign(trial=responses["trial"].map(first), value=responses[RESPONSE])
    points = points[points["trial"].isin(responses["trial"])]
    drawn = points["role"].isin(["design", "repeat"]).sum()
    if drawn < FEWEST:
        return f"{drawn} points of the design are trained: importances take {FEWEST} or more."
    path = study.folder / saved.NAME
    key = saved.key_of(points, responses, declared)
    found = saved.find(path, key)
    if found is None:
        found = saved.tables(importance_by_density(points, responses, declared))
        saved.save(path, key, found)
    return found


def importance(study: Study, subtitle: str, curves: Tables) -> Drawing:
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
            ax.set_title(text, size=10, loc="left")
        _draw_variances(grid[1, 0], curves.strip)
        _draw_quality(grid[1, 1], curves.strip)
        for ax in grid.flat:
            axes.density_axis(ax, 100 * curves.strip["density"].astype(float), most=5)
        for ax in grid[1]:
            ax.set_xlabel("Weights remaining (%), log scale", size=9)
        # Those of ST: its panel has the floor beside all that the other has.
        handles, labels = grid[0, 1].get_legend_handles_labels()
        if handles:
            figure.legend(handles, labels, loc="outside lower center", ncols=3)
    both = curves.strip.merge(table, on="density", how="left") if len(table) else curves.strip
    return Drawing(name="importance", title=title, figure=figure, table=both)


def _draw_index(ax: Axes, table: pd.DataFrame, index: str, shown: dict[str, Look]) -> None:
    x = 100 * table["density"].astype(float)
    inert = table[table["factor"] == INERT]
    if len(inert):
        ends = (x[inert.index], np.minimum(inert[f"{index}_low"], 0), inert[f"{index}_high"])
        ax.fill_between(*ends, color="#999999", alpha=0.55, linewidth=0, label="inert factor")
    if index == "total":
        floor = table.drop_duplicates("density")
        look = {"color": "#444444", "linestyle": ":", "linewidth": 1.4}
        ax.plot(x[floor.index], floor["floor"], label="floor of ST by permutation", **look)
    for factor, look in shown.items():
        mine = table[table["factor"] == factor]
        at = x[mine.index]
        ends = (at, mine[f"{index}_low"], mine[f"{index}_high"])
        ax.fill_between(*ends, color=look.color, alpha=0.15, linewidth=0)
        ax.plot(at, mine[index], label=str(factor), **look._asdict(), markersize=4.5)


def _draw_variances(ax: Axes, strip: pd.DataFrame) -> None:
    x = 100 * strip["density"].astype(float)
    for name, label, look in (
        ("signal_variance", "factors", {"color": "#0072B2", "marker": "o"}),
        ("seed_variance", "replicates", {"color": "#444444", "marker": "s", "linestyle": "--"}),
    ):
        spread = 100 * np.sqrt(strip[name].astype(float))
        ax.plot(x, spread, label=f"deviation by {label}", markersize=4, **look)  # type: ignore[arg-type]
    if (strip[["signal_variance", "seed_variance"]].astype(float) > 0).any(axis=None):
        axes.log_scale(ax)
    ax.set_title("Standard deviation (points): ● factors, ■ replicates", size=9, loc="left")


def _draw_quality(ax: Axes, strip: pd.DataFrame) -> None:
    x = 100 * strip["density"].astype(float)
    ax.plot(x, strip["q2"].astype(float), color="#333333", marker="D", markersize=4)
    ax.axhline(MIN_Q2, color="#b00020", linestyle="--", linewidth=1)
    ax.set_ylim(min(0.0, float(np.nan_to_num(strip["q2"].astype(float)).min())) - 0.05, 1.05)
    n = sorted(set(strip["trajectories"]))
    text = f"{n[0]}" if len(n) == 1 else f"{n[0]} to {n[-1]}" if n else "0"
    ax.set_title(f"Surrogate's Q2, gate at {MIN_Q2} (n = {text} trajectories)", size=9, loc="left")


def _status(curves: Tables) -> str:
    reasons = [reason for reason in curves.strip["reason"] if reason]
    text = reasons[0] if reasons else curves.ended or "There is no response."
    words, out = text.split(), [""]
    for word in words:  # Nothing wraps text inside of axes for us.
        if len(out[-1]) + len(word) > 34:
            out.append("")
        out[-1] = f"{out[-1]} {word}".strip()
    return "\n".join(out)
