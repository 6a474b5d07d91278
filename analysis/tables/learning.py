"""Learning curves of the base configuration's tickets: accuracy against the training step."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.frame import KEY, StudyFrame
from analysis.statistics import mean_interval
from analysis.tables.curves import anchor
from lttune.config.control import TRUNK

SHOWN = (1.0, 0.513, 0.211, 0.07, 0.036, 0.019)
"""Densities of the curves: those of Frankle & Carbin (2019), Figure 3."""
LEVEL_NEAR = 1.15
"""A level stands for a density that it is within this factor of."""
WITHIN = 0.005
"""How far below the dense network's accuracy the one lies that is to be reached."""

LEARNING_COLUMNS = ["level", "density", "step", "mean", "low", "high", "n"]
REACHED_COLUMNS = ["level", "density", "threshold", "early_stop_step", "step", "reached", "n"]


def ticket_curves(study: StudyFrame) -> pd.DataFrame:
    """Returns the evaluations of tickets of the base configuration at the levels that are shown."""
    curves = anchor(study.curves_in(lambda phase: phase.is_base))
    curves = curves[curves["branch"] == TRUNK]
    density = curves.groupby("level")["density"].mean() if len(curves) else pd.Series(dtype=float)
    logs = np.log(density.to_numpy(float))
    levels = {
        int(density.index[place])
        for shown in SHOWN
        if len(logs)
        and abs(logs[place := int(abs(logs - np.log(shown)).argmin())] - np.log(shown))
        <= np.log(LEVEL_NEAR)
    }
    return curves[curves["level"].isin(sorted(levels))]


def learning_table(curves: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Returns the mean of a measure over replicates at each level and step, with its interval."""
    rows = [
        (level, mine["density"].iloc[0], step, *mean_interval(mine[measure]))
        for (level, step), mine in curves.groupby(["level", "step"])
    ]
    return pd.DataFrame(rows, columns=pd.Index(LEARNING_COLUMNS))


def steps_to_accuracy(curves: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """Returns of each network the first step with at least a validation accuracy.

    Of one that never has it ``step`` is its last one and ``reached`` False: a censored time.

    Args:
        curves: rows of ``StudyFrame.curves``.
        threshold: the accuracy, in [0, 1].
    """
    ordered = curves.sort_values("step", kind="stable")
    last = ordered.groupby(KEY, observed=True)["step"].max()
    enough = ordered[ordered["val_accuracy"] >= threshold]
    first = enough.groupby(KEY, observed=True)["step"].min().reindex(last.index)
    found = pd.DataFrame({"step": first.fillna(last).astype(int), "reached": first.notna()})
    return found.reset_index()


def reached_table(study: StudyFrame) -> pd.DataFrame:
    """Returns when tickets come near the dense network's accuracy, a row for each level shown.

    ``step`` is the mean of those that do, ``reached`` how many of ``n`` these are.
    """
    curves, tickets = ticket_curves(study), anchor(study.records)
    dense = tickets[(tickets["branch"] == TRUNK) & (tickets["level"] == 0)]
    if curves.empty or dense.empty:
        return pd.DataFrame(columns=pd.Index(REACHED_COLUMNS))
    threshold = float(dense["val_accuracy"].mean()) - WITHIN
    stops = tickets[[*KEY, "density", "early_stop_step"]]
    found = steps_to_accuracy(curves, threshold).astype({"phase": str, "branch": str})
    rows = [
        (
            *(level, mine["density"].iloc[0], threshold, mine["early_stop_step"].mean()),
            *(mine.loc[mine["reached"], "step"].mean(), int(mine["reached"].sum()), len(mine)),
        )
        for level, mine in found.merge(stops, on=KEY).groupby("level")
    ]
    return pd.DataFrame(rows, columns=pd.Index(REACHED_COLUMNS))
