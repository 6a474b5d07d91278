"""What the tickets' weights are like, layer by layer, and how connected their minima are."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from analysis.figures import axes, canvas, lines, palette
from analysis.figures.canvas import Drawing
from analysis.frame import StudyFrame, in_phases
from analysis.tables.lines import LINE_COLUMNS, line_table
from lttune.config.control import TRUNK

OF_LAYERS = {
    "moved": "Distance moved in training, mean |end − start|",
    "initial_mean": "Survivors' mean initial magnitude",
    "incoming_mean": "Connections into a unit or channel, mean",
    "dense_grown_kept": "Survivors that grew in dense training (%)",
}
"""Column of ``layers.parquet`` -> what it is. Frankle & Carbin (2019), Appendix F."""

MOST_LAYERS = 6
"""Layers up to which each has its curve; of more, the kinds do."""


def layer_table(study: StudyFrame) -> pd.DataFrame:
    """Returns the line tables of ``OF_LAYERS``, with a column ``measure``; curves are layers.

    Networks of the base configuration, else those of the first trials there are. Of many layers
    each curve is a kind: their mean, each layer as heavy as the number of its survivors.
    """
    layers = study.layers
    if layers.empty:
        return pd.DataFrame(columns=pd.Index([*LINE_COLUMNS, "measure"]))
    own = layers[in_phases(layers, lambda phase: phase.is_base)]
    if own.empty:  # Replicates of one point only: others have other weights.
        own = layers[layers["trial"] == layers["trial"].min()]
    tickets = study.records[study.records["branch"] == TRUNK]
    keys = ["trial", "replicate", "level"]
    own = own.merge(tickets[[*keys, "density", "diverged"]], on=keys)
    own = own.assign(curve=own["layer"])
    if own["layer"].nunique() > MOST_LAYERS:
        own = _by_kind(own)
    tables = [line_table(own, measure, "curve").assign(measure=measure) for measure in OF_LAYERS]
    return pd.concat(tables, ignore_index=True)


def _by_kind(layers: pd.DataFrame) -> pd.DataFrame:
    keys = ["kind", "trial", "replicate", "level", "density", "diverged"]
    surviving = layers["surviving"].astype(float)
    parts: dict[str, pd.Series] = {}
    for measure in OF_LAYERS:
        values = layers[measure].astype(float)
        weight = surviving.where(values.notna())
        sums = layers.assign(top=values * weight, bottom=weight).groupby(keys)
        bottom = sums["bottom"].sum()
        parts[measure] = sums["top"].sum() / bottom.where(bottom > 0)
    return pd.DataFrame(parts).reset_index().rename(columns={"kind": "curve"})


def weights(study: StudyFrame, subtitle: str) -> Drawing | None:
    """Returns small multiples of the layers' measures against density; None without a table."""
    table = layer_table(study)
    if table.empty:
        return None
    title = "The tickets' weights, layer by layer"
    shown = lines.looks(list(dict.fromkeys(table["curve"])))
    with canvas.style():
        figure = canvas.new_figure(title, subtitle, study.incomplete, 7.0)
        for ax, (measure, text) in zip(figure.subplots(2, 2).flat, OF_LAYERS.items(), strict=True):
            mine = table[table["measure"] == measure]
            is_share = measure == "dense_grown_kept"
            factor = 100.0 if is_share else 1.0
            lines.draw_lines(ax, mine, shown, factor=factor, banded=list(shown))
            if not is_share and (mine["value"].dropna() > 0).all():
                axes.log_scale(ax)
            canvas.panel_title(ax, text, size=9, across=2)
            ax.set_xlabel(axes.DENSITY, size=9)
            ax.tick_params(labelsize=9)
        canvas.legend_below(figure, columns=3)
    return Drawing(name="weights", title=title, figure=figure, table=table)


BARRIERS = {"barrier_test_error": "test error", "barrier_train_error": "training error"}
"""Column of the records -> which error it is of."""


def connectivity(study: StudyFrame, subtitle: str) -> Drawing | None:
    """Returns the error barrier between two trainings of a ticket; None where none was measured.

    Frankle et al. (2020), Figure 3: the ticket and its sibling in another data order.
    """
    rows = study.records[study.records["branch"] == "sibling"]
    rows = rows[in_phases(rows, lambda phase: phase.is_base)]
    found = [name for name in BARRIERS if name in rows and rows[name].notna().any()]
    if not found:
        return None
    tables = [line_table(rows, name, "branch").assign(curve=BARRIERS[name]) for name in found]
    table = pd.concat(tables, ignore_index=True)
    title = "Error barrier between two trainings of one ticket"
    shown: dict[str, lines.Look] = lines.looks(list(dict.fromkeys(table["curve"])))
    with canvas.style():
        figure = canvas.new_figure(title, subtitle, study.incomplete, 4.6)
        ax = figure.subplots()
        lines.draw_lines(ax, table, shown, factor=100.0, banded=list(shown))
        _frame_barrier(ax, table)
        ax.set_xlabel(axes.DENSITY)
        ax.set_ylabel("Barrier (points of error)")
        canvas.legend_below(figure, columns=2)
    return Drawing(name="connectivity", title=title, figure=figure, table=table)


def _frame_barrier(ax: Axes, table: pd.DataFrame) -> None:
    """Keeps zero in sight: it is where the two are connected."""
    top = 100 * float(np.nanmax(table["value"].astype(float)))
    ax.axhline(0, color=palette.DARK, linewidth=0.8)
    ax.set_ylim(-0.06 * (top or 1.0), 1.25 * (top or 1.0))
