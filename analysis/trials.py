"""Tables over trials: what the search tried, which were best, which went wrong."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis.curves import nearest
from analysis.frame import Study

SEARCH_COLUMNS = ["trial", "phase", "label", "state", "objective", "diverged", "is_best"]
"""Columns of ``search_table``; the factors of the space follow under their dotted paths."""

OVERVIEW = ["number", "phase", "label", "state", "objective", "replicates", "dense", "ticket"]
OVERVIEW_COLUMNS = [*OVERVIEW, "gain", "at", "lowest", "diverged", "seconds"]
"""Columns of ``trial_table``."""


def search_table(study: Study) -> pd.DataFrame:
    """Returns the trials of the search, and the anchor's for comparison, with their factors.

    Trials that are still waiting or running are left out. A trial that ended without an objective
    has NaN. ``diverged`` counts networks; ``is_best`` marks the search trial of best objective.
    """
    ended = study.trials[~study.trials["state"].isin(["waiting", "running"])]
    ended = ended[ended["phase"].isin(["search", "anchor"])]
    diverged = study.records.groupby("trial")["diverged"].sum()
    space, base = study.info.get("space", {}), settings(study)
    found = ended.loc[ended["phase"] == "search", "objective"].dropna()
    best = (found.idxmin() if is_minimized(study) else found.idxmax()) if len(found) else None
    rows: list[dict[str, Any]] = []
    for index, trial in zip(ended.index, ended.to_dict("records"), strict=True):
        hparams = {**base, **(trial["hparams"] or {})}
        facts = {name: trial[name] for name in ("phase", "label", "state", "objective")}
        facts |= {"trial": trial["number"], "is_best": index == best}
        facts["diverged"] = int(diverged.get(trial["number"], 0))
        rows.append({**facts, **{name: hparams.get(name) for name in space}})
    return pd.DataFrame(rows, columns=pd.Index([*SEARCH_COLUMNS, *space]))


def is_minimized(study: Study) -> bool:
    """Returns whether less of the study's objective is better."""
    return study.info.get("objective", {}).get("direction") == "minimize"


def best_table(study: Study, density: float, top: int = 5) -> pd.DataFrame:
    """Returns the best trials of the search by objective, with their tickets near a density.

    Accuracies are means over the trial's replicates at its own level nearest to the density, which
    may be another density in each trial: ``density`` is the one it reached. ``replicates`` counts
    those that did: one that ended by divergence before is not in the means, only in the objective.
    """
    table = search_table(study)
    table = table[(table["phase"] == "search") & table["objective"].notna()]
    minimized = is_minimized(study)
    table = table.sort_values("objective", ascending=minimized, kind="stable").head(top)
    trunk = study.records[(study.records["branch"] == "trunk") & (study.records["level"] > 0)]
    rows: list[dict[str, Any]] = []
    for trial in table["trial"]:
        ticket = nearest(trunk[trunk["trial"] == trial], density)
        means = ticket[["density", "val_accuracy", "test_accuracy"]].astype(float).mean()
        rows.append({**means, "replicates": ticket["replicate"].nunique()})
    columns = pd.Index(["density", "val_accuracy", "test_accuracy", "replicates"])
    tickets = pd.DataFrame(rows, columns=columns, index=table.index)
    return table.drop(columns=["phase", "state", "is_best"]).join(tickets)


def trial_table(study: Study, density: float) -> pd.DataFrame:
    """Returns one row for each trial with what its tickets reached, means over its replicates.

    ``dense`` is the test accuracy of the dense network, ``ticket`` that at the trial's own level
    nearest to a density, which is ``at``; ``gain`` is paired by replicate. ``lowest`` is the lowest
    density that was trained, ``diverged`` counts networks of all branches.
    """
    diverged = study.records.groupby("trial")["diverged"].sum()
    tickets = study.records[study.records["branch"] == "trunk"]
    by_trial = dict(list(tickets.groupby("trial")))
    rows: list[dict[str, Any]] = []
    for trial in study.trials.to_dict("records"):
        mine = by_trial.get(trial["number"], tickets.iloc[:0])
        dense = mine[mine["level"] == 0].set_index("replicate")["test_accuracy"].astype(float)
        near = nearest(mine[mine["level"] > 0], density)
        ticket = near.set_index("replicate")["test_accuracy"].astype(float)
        facts = {name: trial[name] for name in ("number", "phase", "label", "state", "objective")}
        facts |= {"replicates": len(trial["replicates"] or []), "seconds": trial["seconds"]}
        facts |= {"dense": dense.mean(), "ticket": ticket.mean(), "gain": (ticket - dense).mean()}
        facts |= {"at": near["density"].astype(float).mean(), "lowest": mine["density"].min()}
        rows.append({**facts, "diverged": int(diverged.get(trial["number"], 0))})
    return pd.DataFrame(rows, columns=pd.Index(OVERVIEW_COLUMNS))


def problem_table(study: Study) -> pd.DataFrame:
    """Returns the trials that failed, were stopped, or have networks that diverged."""
    diverged = study.records.groupby("trial")["diverged"].sum()
    rows = study.trials.assign(
        diverged=[int(diverged.get(number, 0)) for number in study.trials["number"]]
    )
    rows = rows[rows["state"].isin(["failed", "stopped"]) | (rows["diverged"] > 0)]
    columns = ["number", "phase", "label", "state", "diverged", "error"]
    return rows[columns].reset_index(drop=True)


def settings(study: Study) -> dict[str, Any]:
    """Returns the study's base configuration by dotted path."""
    return flat(study.info.get("lottery", {}))


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns nested values by dotted path."""
    # Not lttune.config.from_dict: a study of an older version must still have its report.
    values: dict[str, Any] = {}
    for name, value in tree.items():
        path = f"{prefix}{name}"
        values |= flat(value, f"{path}.") if isinstance(value, Mapping) else {path: value}
    return values


def is_number(value: object) -> bool:
    """Returns whether a factor's value can stand on a numeric axis."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
