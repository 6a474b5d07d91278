"""The map of learning rate and pruning fraction: where tickets win, and where nothing converges."""

from __future__ import annotations

import math

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.cm import ScalarMappable
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure

from analysis.figures import axes, canvas, palette
from analysis.figures.canvas import Drawing
from analysis.frame import StudyFrame
from analysis.tables.objective import margin_of
from analysis.tables.responses import NEAR, response_table
from analysis.tables.sweeps import point_name
from analysis.tables.trials import settings
from lttune.config.control import TRUNK
from lttune.config.fields import is_number
from lttune.config.lottery.length import joined_settings
from lttune.config.phase import phase_names
from lttune.records.objectives import DENSITY_GRID

LR, FRACTION = "train.lr", "prune.fraction"
GAIN_DENSITIES = DENSITY_GRID[7:0:-1]
"""Shares of weights at which the gain may be read, from 21.0 % upwards to 80 %."""

LEARNED = 0.5
"""Share of the best dense accuracy below which a dense network learned too little to compare."""

MAP_COLUMNS = ["phase", "point", "lr", "fraction", "gain", "dense", "n", "diverged"]
"""Columns of ``map_table``."""


def map_table(study: StudyFrame) -> tuple[pd.DataFrame, str, float]:
    """Returns gain by learning rate and pruning fraction, which fraction it is, and the density.

    Points of a design if they vary both, else the trials of the search. ``fraction`` is the first
    fraction that varies; ``gain`` the mean over replicates at the lowest of ``GAIN_DENSITIES`` that
    half of the trajectories reach, NaN without a sound one; ``dense`` the mean accuracy of the
    dense networks; ``diverged`` the replicates with a diverged network. Empty if nothing varies
    both.
    """
    base = settings(study)
    for phase in (*phase_names(lambda p: p.is_design), *phase_names(lambda p: p.is_proposed)):
        trials = study.trials[study.trials["phase"] == phase]
        values = [joined_settings(base, hparams or {}) for hparams in trials["hparams"]]
        fractions = sorted({name for one in values for name in one if name.startswith(FRACTION)})
        varied = [name for name in (LR, *fractions) if _varies(values, name)]
        if len(varied) < 2 or varied[0] != LR:
            continue
        tickets = study.records[
            (study.records["phase"] == phase) & (study.records["branch"] == TRUNK)
        ]
        density = _common_density(tickets)
        responses = response_table(tickets, grid=(density,))
        diverged = tickets[tickets["diverged"].astype(bool)].groupby("trial")["replicate"].nunique()
        rows = [
            {
                "phase": phase,
                "point": point_name(str(trial["label"])),
                "lr": value[LR],
                "fraction": value[varied[1]],
                "gain": one["gain"] if one["ok"] else np.nan,
                "dense": one["accuracy"] - one["gain"],
                "diverged": int(diverged.get(trial["number"], 0)),
            }
            for trial, value in zip(trials.to_dict("records"), values, strict=True)
            for one in responses[responses["trial"] == trial["number"]].to_dict("records")
        ]
        if rows:
            keys = ["phase", "point", "lr", "fraction"]
            groups = pd.DataFrame(rows).groupby(keys, sort=False)
            table = groups.agg(
                gain=("gain", "mean"),
                dense=("dense", "mean"),
                n=("gain", "count"),
                diverged=("diverged", "sum"),
            )
            return table.reset_index()[MAP_COLUMNS], varied[1], density
    return pd.DataFrame(columns=pd.Index(MAP_COLUMNS)), "", math.nan


def _common_density(tickets: pd.DataFrame) -> float:
    """Returns the lowest of ``GAIN_DENSITIES`` that half of the sound trajectories reach."""
    sound = tickets[~tickets["diverged"].astype(bool)]
    reached = sound.groupby(["trial", "replicate"])["density"].min()
    common = (one for one in GAIN_DENSITIES if (reached <= one * (1 + NEAR)).mean() >= 0.5)
    return next(common, GAIN_DENSITIES[-1])


def _varies(values: list[dict[str, object]], name: str) -> bool:
    found = {one[name] for one in values if is_number(one.get(name))}
    return len(found) > 1


def lr_fraction(study: StudyFrame, subtitle: str) -> Drawing | None:
    """Returns the map, None if no phase varies both; trials that diverged are crosses."""
    table, name, density = map_table(study)
    if table.empty:
        return None
    title = f"Gain at {100 * density:.1f} % of the weights over {LR} and {name}"
    with canvas.style():
        figure = canvas.new_figure(title, subtitle, study.incomplete)
        ax = figure.subplots()
        _draw_map(figure, table, study)
        ax.set_xlabel(LR)
        ax.set_ylabel(name)
        canvas.legend_below(figure, columns=2)
    return Drawing(name="lr_fraction", title=title, figure=figure, table=table)


def _draw_map(figure: Figure, table: pd.DataFrame, study: StudyFrame) -> None:
    ax = figure.axes[0]
    margin = margin_of(study)
    gain = 100 * table["gain"].astype(float)
    # A network that never learned has nothing to lose: its gain is noise around chance.
    idle = table["dense"] < LEARNED * table["dense"].max()
    known = gain.notna() & ~idle
    reach = max(float(gain[known].abs().quantile(0.9)) if known.any() else 0.0, 200 * margin)
    look = {
        "cmap": matplotlib.colormaps["PuOr"].resampled(40),
        "norm": TwoSlopeNorm(0.0, -reach, reach),
    }
    wins = gain >= -100 * margin
    for chosen, marker, size, text in (
        (known & wins, "o", 85, f"at most {100 * margin:.2g} points below dense"),
        (known & ~wins, "v", 60, "further below dense"),
    ):
        style = {
            "marker": marker,
            "s": size,
            "edgecolors": palette.BLACK,
            "linewidths": 0.8,
            **look,
        }
        label = f"{text} (n = {chosen.sum()})"
        ax.scatter(
            table["lr"][chosen], table["fraction"][chosen], c=gain[chosen], label=label, **style
        )
    bad = table["diverged"] > 0
    if bad.any():
        label = f"a network diverged (n = {bad.sum()})"
        style = {"marker": "x", "color": palette.ALARM, "s": 60, "zorder": 4}
        ax.scatter(table["lr"][bad], table["fraction"][bad], label=label, **style)
    for chosen, marker, text in (
        (idle & gain.notna() & ~bad, "+", "dense accuracy below half of the best"),
        (gain.isna() & ~bad, "1", "density not reached"),
    ):
        if chosen.any():
            label = f"{text} (n = {chosen.sum()})"
            style = {"marker": marker, "color": palette.DARK, "s": 70}
            ax.scatter(table["lr"][chosen], table["fraction"][chosen], label=label, **style)
    axes.numeric_axis(ax, table["lr"].astype(float), {"log": True})
    bar = figure.colorbar(
        ScalarMappable(look["norm"], look["cmap"]),
        ax=ax,
        label="Gain (points)",
        extend="both",
    )
    if bar.solids is not None:
        bar.solids.set_edgecolor("face")
