"""Tables over trials: what the search tried, which were best, which went wrong."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from analysis.frame import StudyFrame, in_phases
from analysis.tables.curves import nearest
from analysis.tables.objective import directions, is_minimized
from lttune.config import flatten
from lttune.config.control import TRUNK
from lttune.config.fields import settings_text
from lttune.config.lottery.length import joined_settings
from lttune.records.best import non_dominated

SEARCH = ["trial", "phase", "settings", "label", "state", "objective", "level", "diverged"]
SEARCH_COLUMNS = [*SEARCH, "is_best", "values"]
"""Columns of ``search_table``; the factors of the space follow under their dotted paths."""

OVERVIEW = [
    "number",
    "phase",
    "settings",
    "label",
    "state",
    "objective",
    "replicates",
    "dense",
    "ticket",
]
OVERVIEW_COLUMNS = [*OVERVIEW, "gain", "at", "lowest", "diverged", "seconds"]
"""Columns of ``trial_table``; ``settings`` is what a trial varies, as text."""


def search_table(study: StudyFrame) -> pd.DataFrame:
    """Returns the trials of the search, its control's and the anchor's, with their factors.

    Trials that are still waiting or running are left out. A trial that ended without an objective,
    as one that was stopped does, has NaN. ``level`` is the deepest one that it trained, missing
    without networks; ``diverged`` counts networks; ``is_best`` marks the search trial of best
    objective, of several values those of the search's Pareto front.
    """
    ended = study.trials[~study.trials["state"].isin(["waiting", "running"])]
    ended = ended[in_phases(ended, lambda phase: phase.is_of_space or phase.is_base)]
    diverged = study.records.groupby("trial")["diverged"].sum()
    deepest = deepest_levels(study)
    space, base = study.info.get("space", {}), settings(study)
    best = _best(ended[in_phases(ended, lambda phase: phase.is_proposed)], study)
    rows: list[dict[str, Any]] = []
    for index, trial in zip(ended.index, ended.to_dict("records"), strict=True):
        hparams = joined_settings(base, trial["hparams"] or {})
        facts = {name: trial[name] for name in ("phase", "label", "state", "objective")}
        facts |= {"trial": trial["number"], "is_best": index in best}
        facts["settings"] = settings_text(trial["hparams"] or {})
        # A stopped trial's last report is no objective: it never reached the density.
        if trial["state"] != "complete":
            facts["objective"] = math.nan
        facts |= {"level": deepest.get(trial["number"]), "values": trial["values"]}
        facts["diverged"] = int(diverged.get(trial["number"], 0))
        rows.append({**facts, **{name: hparams.get(name) for name in space}})
    table = pd.DataFrame(rows, columns=pd.Index([*SEARCH_COLUMNS, *space]))
    return table.astype({"objective": float, "level": "Int64", "is_best": bool})


def is_searched(study: StudyFrame) -> bool:
    """Returns whether a trial of the search has ended."""
    return bool(in_phases(search_table(study), lambda phase: phase.is_proposed).any())


def _best(search: pd.DataFrame, study: StudyFrame) -> list[Any]:
    """Returns the rows of the best trials: one, or the front of several values."""
    done = search[(search["state"] == "complete") & search["objective"].notna()]
    if done.empty:
        return []
    wanted = directions(study)
    if len(wanted) == 1:
        found = done["objective"]
        return [found.idxmin() if is_minimized(study) else found.idxmax()]
    whole = [isinstance(one, list) and len(one) == len(wanted) for one in done["values"]]
    done = done[whole]
    return list(done.index.take(non_dominated(list(done["values"]), wanted)))


def deepest_levels(study: StudyFrame) -> pd.Series:
    """Returns the deepest level that each trial trained in all of its replicates, by number."""
    tickets = study.records[study.records["branch"] == TRUNK]
    return tickets.groupby(["trial", "replicate"])["level"].max().groupby("trial").min()


def best_table(study: StudyFrame, density: float, top: int = 5) -> pd.DataFrame:
    """Returns the best trials of the search by objective, with their tickets near a density.

    Accuracies are means over the trial's replicates at its own level nearest to the density, which
    may be another density in each trial: ``density`` is the one it reached. ``replicates`` counts
    those that did: one that ended by divergence before is not in the means, only in the objective.
    """
    table = search_table(study)
    table = table[in_phases(table, lambda phase: phase.is_proposed) & table["objective"].notna()]
    minimized = is_minimized(study)
    table = table.sort_values("objective", ascending=minimized, kind="stable").head(top)
    return _with_tickets(study, table, [density] * len(table))


def front_table(study: StudyFrame) -> pd.DataFrame:
    """Returns the trials on the search's Pareto front, from the most accurate on to the smallest.

    ``accuracy`` and ``wanted`` are the two values of the objective: validation accuracy at the
    ticket's density, and that density. The other columns are those of ``best_table``, at the
    trial's own level nearest to it. Empty for an objective of one value.
    """
    table = search_table(study)
    table = table[table["is_best"]] if len(directions(study)) == 2 else table.iloc[:0]
    pairs = pd.DataFrame(list(table["values"]), columns=["accuracy", "wanted"], index=table.index)
    table = table.join(pairs.astype(float)).sort_values("wanted", ascending=False, kind="stable")
    return _with_tickets(study, table, list(table["wanted"]))


def _with_tickets(
    study: StudyFrame, table: pd.DataFrame, densities: Sequence[float]
) -> pd.DataFrame:
    trunk = study.records[(study.records["branch"] == TRUNK) & (study.records["level"] > 0)]
    rows: list[dict[str, Any]] = []
    for trial, density in zip(table["trial"], densities, strict=True):
        ticket = nearest(trunk[trunk["trial"] == trial], density)
        means = ticket[["density", "val_accuracy", "test_accuracy"]].astype(float).mean()
        rows.append({**means, "replicates": ticket["replicate"].nunique()})
    columns = pd.Index(["density", "val_accuracy", "test_accuracy", "replicates"])
    tickets = pd.DataFrame(rows, columns=columns, index=table.index)
    return table.drop(columns=["phase", "state", "level", "is_best", "values"]).join(tickets)


def trial_table(study: StudyFrame, density: float) -> pd.DataFrame:
    """Returns one row for each trial with what its tickets reached, means over its replicates.

    ``dense`` is the test accuracy of the dense network, ``ticket`` that at the trial's own level
    nearest to a density, which is ``at``; ``gain`` is paired by replicate. ``lowest`` is the lowest
    density that was trained, ``diverged`` counts networks of all branches.
    """
    diverged = study.records.groupby("trial")["diverged"].sum()
    tickets = study.records[study.records["branch"] == TRUNK]
    # Of the few columns that are read: each part that is taken costs by its columns.
    tickets = tickets[["trial", "replicate", "level", "density", "test_accuracy"]]
    by_trial = dict(list(tickets.groupby("trial")))
    rows: list[dict[str, Any]] = []
    for trial in study.trials.to_dict("records"):
        mine = by_trial.get(trial["number"], tickets.iloc[:0])
        dense = mine[mine["level"] == 0].set_index("replicate")["test_accuracy"].astype(float)
        near = nearest(mine[mine["level"] > 0], density)
        ticket = near.set_index("replicate")["test_accuracy"].astype(float)
        facts = {name: trial[name] for name in ("number", "phase", "label", "state", "objective")}
        facts |= {"replicates": len(trial["replicates"] or []), "seconds": trial["seconds"]}
        facts["settings"] = settings_text(trial["hparams"] or {})
        facts |= {"dense": dense.mean(), "ticket": ticket.mean(), "gain": (ticket - dense).mean()}
        facts |= {"at": near["density"].astype(float).mean(), "lowest": mine["density"].min()}
        rows.append({**facts, "diverged": int(diverged.get(trial["number"], 0))})
    return pd.DataFrame(rows, columns=pd.Index(OVERVIEW_COLUMNS))


def problem_table(study: StudyFrame) -> pd.DataFrame:
    """Returns the trials that failed, were stopped, or have networks that diverged.

    ``level`` is the deepest that was trained, missing without networks.
    """
    diverged = study.records.groupby("trial")["diverged"].sum()
    rows = study.trials.assign(
        diverged=[int(diverged.get(number, 0)) for number in study.trials["number"]]
    )
    rows = rows[rows["state"].isin(["failed", "stopped"]) | (rows["diverged"] > 0)]
    rows["level"] = rows["number"].map(deepest_levels(study)).astype("Int64")
    rows["settings"] = [settings_text(hparams or {}) for hparams in rows["hparams"]]
    columns = ["number", "phase", "settings", "label", "state", "level", "diverged", "error"]
    return rows[columns].reset_index(drop=True)


def settings(study: StudyFrame) -> dict[str, Any]:
    """Returns the study's base configuration by dotted path."""
    # Not lttune.config.from_dict: a study of an older version must still have its report.
    return flatten(study.info.get("lottery", {}))
