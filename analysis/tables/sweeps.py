"""Tables of the one-factor sweeps: curves of each value, and its gain at given densities.

A point is one value of a factor; its replicates are trials of their own. Points belong to one
factor if their labels name it ("lr=0.1"), else if they change the same hyperparameter first.
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pandas as pd

from analysis.frame import StudyFrame, in_phases
from analysis.statistics import mean_interval
from analysis.tables.lines import LINE_COLUMNS, line_table
from analysis.tables.responses import response_table
from analysis.tables.same_setting import is_same
from analysis.tables.trials import settings
from lttune.config.control import TRUNK
from lttune.records.interpolation import nearest_place
from lttune.records.objectives import DENSITY_GRID

BASE_VALUE = "base configuration"
"""Value of the networks beside a sweep, where none of its own points has the paper's value."""

TABLE_DENSITIES = tuple(DENSITY_GRID[k] for k in (3, 7, 11, 15, 19))
"""Densities of the table of gains: 51.2, 21.0, 8.6, 3.5 and 1.4 %."""

GAIN = ["factor", "value", "mark", "density", "mean", "low", "high", "n"]
GAIN_COLUMNS = [*GAIN, "accuracy", "replicates", "diverged"]
"""Columns of ``gain_table``."""

REPLICATE = re.compile(r" replicate=\d+$")


def point_name(label: str) -> str:
    """Returns the point of a trial's label: "lr=0.1 replicate=2" is one of "lr=0.1"."""
    return REPLICATE.sub("", label)


def sweep_networks(study: StudyFrame) -> pd.DataFrame:
    """Returns the tickets of all sweeps with ``factor``, ``value`` and ``mark`` beside them.

    ``mark`` is "paper" for the paper's own value, else "base" for that of the base configuration,
    else empty. Values of a factor are in their order: numbers by size, then the others as they were
    declared. Where none has a mark, networks of the paper's setting stand last as ``BASE_VALUE``: a
    point of the sweeps that changes no factor, else the anchor, and only on the sweep's own
    network, data and steps. Between other networks a difference would not be the factor's.
    """
    trials = study.trials[in_phases(study.trials, lambda phase: phase.is_swept)]
    base = settings(study)
    rows: list[dict[str, Any]] = []
    for trial in trials.to_dict("records"):
        hparams = trial["hparams"] or {}
        name, found, value = point_name(str(trial["label"])).partition("=")
        first = next(iter(hparams), "configuration").rpartition(".")[2]
        same = bool(hparams) and all(
            key in base and base[key] == own for key, own in hparams.items()
        )
        is_paper = trial["role"] == "paper"
        rows.append(
            {
                "trial": trial["number"],
                "factor": name if found else BASE_VALUE if is_paper else first,
                "value": value if found else name,
                "mark": "paper" if is_paper else "base" if same else "",
            }
        )
    points = pd.DataFrame(rows, columns=pd.Index(["trial", "factor", "value", "mark"]))
    tickets = study.records[study.records["branch"] == TRUNK]
    networks = tickets[in_phases(tickets, lambda phase: phase.is_swept)].merge(points, on="trial")
    alone = networks["factor"] == BASE_VALUE
    bases = [mine for _, mine in networks[alone].groupby("value", sort=False)]
    bases.append(tickets[in_phases(tickets, lambda phase: phase.is_base)])
    networks = networks[~alone]
    parts: list[pd.DataFrame] = []
    for factor, mine in networks.groupby("factor", sort=False):
        order = sorted(dict.fromkeys(mine["value"]), key=_rank)
        parts += [mine[mine["value"] == value] for value in order]
        beside = [base for base in bases if len(base) and is_same(mine, base)]
        if not mine["mark"].any() and beside:
            parts.append(beside[0].assign(factor=factor, value=BASE_VALUE, mark="base"))
    return pd.concat(parts, ignore_index=True) if parts else networks


def is_numeral(value: str) -> bool:
    """Returns whether a value's text is a finite number."""
    try:
        return math.isfinite(float(value))
    except ValueError:
        return False


def _rank(value: str) -> tuple[bool, float]:
    return (False, float(value)) if is_numeral(value) else (True, 0.0)


def sweep_table(networks: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Returns the line table of one factor's networks, a curve for each value.

    ``measure`` is a column of the records, or "gain": test accuracy minus that of the dense network
    of the same trajectory.
    """
    if networks.empty:
        return pd.DataFrame(columns=pd.Index(LINE_COLUMNS))
    if measure == "gain":
        keys = ["value", "replicate"]
        dense = networks[networks["level"] == 0].set_index(keys)["test_accuracy"].astype(float)
        own = pd.MultiIndex.from_frame(networks[keys])
        networks = networks.assign(
            gain=networks["test_accuracy"].astype(float) - dense.reindex(own).to_numpy()
        )
    return line_table(networks, measure, "value")


def gain_table(
    networks: pd.DataFrame, densities: tuple[float, ...] = TABLE_DENSITIES
) -> pd.DataFrame:
    """Returns the gain of each value of each factor at given densities, with 95 % t-intervals.

    Between levels it is linear in log density. ``n`` counts the replicates behind a mean; those of
    ``replicates`` that are not among them diverged or did not reach the density. ``accuracy`` is
    their mean test accuracy there: a network at chance has nothing to lose, so its gain is no
    merit. ``diverged`` counts replicates with a diverged network at any level.
    """
    lowest = networks["density"].min()
    # A study of few levels is judged at its last one.
    densities = tuple(d for d in densities if d >= lowest) or (lowest,)
    rows: list[dict[str, Any]] = []
    for (factor, value), mine in networks.groupby(["factor", "value"], sort=False):
        responses = response_table(mine, grid=densities)
        sound = responses["gain"].where(responses["ok"].astype(bool))
        shared = {
            "factor": factor,
            "value": value,
            "mark": mine["mark"].iloc[0],
            "replicates": int(mine["replicate"].nunique()),
            "diverged": int(mine.loc[mine["diverged"].astype(bool), "replicate"].nunique()),
        }
        for density in densities:
            here = np.isclose(responses["density"], density)
            accuracy = responses.loc[here & sound.notna(), "accuracy"].mean()
            estimate = mean_interval(sound[here])
            rows.append({**shared, "density": density, **estimate._asdict(), "accuracy": accuracy})
    table = pd.DataFrame(rows, columns=pd.Index(GAIN_COLUMNS))
    # Densities that no trajectory reached say nothing.
    reached = table.groupby("density")["n"].transform("max") > 0 if len(table) else []
    return table[reached].reset_index(drop=True) if len(table) else table


def extremes(table: pd.DataFrame, density: float) -> dict[str, tuple[pd.Series, pd.Series]]:
    """Returns factor -> the rows of its lowest and highest mean gain at the nearest density."""
    known = table[table["n"] > 0]
    if known.empty:
        return {}
    at = known["density"].iloc[nearest_place(known["density"], density)]
    here = known[known["density"] == at]
    return {
        str(factor): (mine.sort_values("mean").iloc[0], mine.sort_values("mean").iloc[-1])
        for factor, mine in here.groupby("factor", sort=False)
        if len(mine) > 1
    }
