"""The fair comparison: each value of a factor at hyperparameters of its own, on fresh replicates.

What tuning chose for a value is what a confirmation trained of it. Values are compared
with each other in pairs of replicates, which share their random numbers.
"""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

import pandas as pd

from analysis.frame import StudyFrame, in_phases
from analysis.statistics import mean_interval, paired_difference
from analysis.statistics.intervals import t_test
from analysis.statistics.verdicts.multiplicity import holm
from analysis.tables.responses import response_table
from analysis.tables.sweeps import TABLE_DENSITIES, is_numeral
from lttune.config.control import TRUNK

CHOICE_COLUMNS = ["value", "trial", "factor", "tried", "objective", "chosen", "at_edge"]
"""Columns of ``choice_table``."""
VALUE_COLUMNS = ["value", "density", "measure", "mean", "low", "high", "n"]
"""Columns of ``value_table``."""
VALUE_PAIR_COLUMNS = ["first", "second", *VALUE_COLUMNS[1:], "p", "p_adjusted"]
"""Columns of ``pair_table``."""

GAP = "ticket - "
"""Begins the name of a measure that is the ticket's accuracy minus a control's."""
WITH_DENSE = (1.0, *TABLE_DENSITIES)


def choice_table(study: StudyFrame) -> pd.DataFrame:
    """Returns a row for each tuning trial and each hyperparameter that was tuned for its value.

    ``tried`` is the hyperparameter's value, ``chosen`` whether the trial was confirmed, and
    ``at_edge`` whether a chosen one is the least or the greatest of three or more that were tried:
    a wider range may hold a better one.
    """
    path = study.info.get("compared")
    rows: list[dict[str, Any]] = []
    chosen = set(_arms(study)["origin"])
    for trial in study.trials[in_phases(study.trials, lambda phase: phase.is_tuning)].to_dict(
        "records"
    ):
        for factor, tried in (trial["hparams"] or {}).items():
            if factor != path:
                own = {"trial": trial["number"], "factor": factor, "tried": tried}
                own |= {"value": str(trial["hparams"].get(path)), "objective": trial["objective"]}
                rows.append({**own, "chosen": trial["number"] in chosen})
    table = pd.DataFrame(rows, columns=pd.Index(CHOICE_COLUMNS))
    table["at_edge"] = False
    for _, mine in table.groupby(["value", "factor"]):
        # A factor that is held at one value was not tuned.
        if len(set(mine["tried"])) == 1:
            table = table.drop(mine.index)
        elif len(mine) > 2 and all(is_numeral(str(tried)) for tried in mine["tried"]):
            ends = mine["tried"].isin([mine["tried"].min(), mine["tried"].max()])
            table.loc[mine.index, "at_edge"] = ends & mine["chosen"]
    return table.reset_index(drop=True)


def value_table(study: StudyFrame) -> pd.DataFrame:
    """Returns what each value's choice reaches on fresh replicates, at some densities.

    ``measure`` is "accuracy" of the ticket on the test set, "gain" over its own dense network, or
    its difference from a control ("ticket - reinit"), all shares in [0, 1] with 95 % t-intervals.
    """
    rows: list[dict[str, Any]] = []
    for (value, measure, density), mine in _numbers(study).groupby(
        ["value", "measure", "density"], sort=False
    ):
        estimate = mean_interval(mine["number"])._asdict()
        rows.append({"value": value, "density": density, "measure": measure, **estimate})
    return pd.DataFrame(rows, columns=pd.Index(VALUE_COLUMNS))


def pair_table(study: StudyFrame) -> pd.DataFrame:
    """Returns the differences between values, ``first`` minus ``second``, paired by replicate.

    ``p`` is of the paired t-test that there is none, ``p_adjusted`` by Holm over all rows of a
    measure: pairs of values times densities.
    """
    numbers = _numbers(study)
    rows: list[dict[str, Any]] = []
    for (measure, density), mine in numbers.groupby(["measure", "density"], sort=False):
        by_value = {
            str(value): own.set_index("replicate")["number"]
            for value, own in mine.groupby("value", sort=False)
        }
        for first, second in combinations(by_value, 2):
            estimate = paired_difference(by_value[first], by_value[second])
            p = t_test((by_value[first] - by_value[second]).dropna())
            key = {"first": first, "second": second, "density": density, "measure": measure}
            rows.append({**key, **estimate._asdict(), "p": p})
    table = pd.DataFrame(rows, columns=pd.Index(VALUE_PAIR_COLUMNS))
    adjusted = table.groupby("measure")["p"].transform(lambda p: holm(p.astype(float).to_numpy()))
    return table.assign(p_adjusted=adjusted.astype(float) if len(table) else math.nan)


def compared_networks(study: StudyFrame) -> pd.DataFrame:
    """Returns the networks of the values' choices on fresh replicates, with their ``value``."""
    arms = _arms(study)[["trial", "value"]]
    networks = study.records[in_phases(study.records, lambda phase: phase.confirms)].merge(
        arms, on="trial"
    )
    order = list(dict.fromkeys(arms["value"]))
    return networks.sort_values("value", key=lambda v: v.map(order.index), kind="stable")


def _arms(study: StudyFrame) -> pd.DataFrame:
    """Returns the confirmed trials that tuning chose: ``trial``, ``value``, tuned as ``origin``."""
    path = study.info.get("compared")
    trials = study.trials
    tuned = trials[in_phases(trials, lambda phase: phase.is_tuning)].to_dict("records")
    confirmed = trials[in_phases(trials, lambda phase: phase.confirms)]
    rows = [
        {"trial": one["number"], "value": str(one["hparams"][path]), "origin": same["number"]}
        for one in confirmed[confirmed["role"] == "fresh"].to_dict("records")
        for same in tuned
        if same["hparams"] == one["hparams"] and str(one["label"]).startswith(f"{same['phase']} ")
    ]
    return pd.DataFrame(rows, columns=pd.Index(["trial", "value", "origin"]))


def _numbers(study: StudyFrame) -> pd.DataFrame:
    """Returns ``number`` of each value, measure, density and replicate; only sound networks."""
    networks = compared_networks(study)
    values = dict(zip(networks["trial"], networks["value"], strict=True))
    table = response_table(networks, grid=WITH_DENSE)
    table = table[table["ok"].astype(bool)].astype({"accuracy": float, "gain": float})
    table = table.assign(value=table["trial"].map(values))
    key = ["value", "replicate", "density"]
    trunk = table[table["branch"] == TRUNK]
    parts = [trunk[key].assign(number=trunk[name], measure=name) for name in ("accuracy", "gain")]
    for branch, own in table[table["branch"] != TRUNK].groupby("branch", sort=False):
        both = trunk.merge(own, on=key, suffixes=("", "_control"))
        number = both["accuracy"] - both["accuracy_control"]
        parts.append(both[key].assign(number=number, measure=f"{GAP}{branch}"))
    found = pd.concat(parts, ignore_index=True).dropna(subset=["number"])
    own = (found["measure"] != "gain") | (found["density"] < 1)
    found = found[own]
    order = list(dict.fromkeys(networks["value"]))
    return found.sort_values("value", key=lambda v: v.map(order.index), kind="stable")
