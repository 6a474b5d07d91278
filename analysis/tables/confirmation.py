"""The confirmation: what was chosen by a search beside the base configuration, on fresh replicates.

The best of many noisy trials was partly lucky. Replicates that took no part in the choice have no
such luck, and their test accuracy is compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.frame import StudyFrame, in_phases
from analysis.statistics import mean_interval, paired_difference
from analysis.tables.lines import LINE_COLUMNS, line_table
from analysis.tables.objective import directions, reading_density
from analysis.tables.responses import response_table
from analysis.tables.sweeps import point_name
from lttune.config.control import TRUNK
from lttune.config.fields import settings_text
from lttune.records.objectives import DENSITY_GRID

CONFIRMATION = ["name", "settings", "role", "at", "accuracy", "low", "high", "n"]
CONFIRMATION_COLUMNS = [*CONFIRMATION, "difference", "difference_low", "difference_high", "pairs"]
CONFIRMATION_COLUMNS += ["selected", "fresh"]
"""Columns of ``confirmation_table``; ``settings`` is what a configuration varies, as text, and
``name`` says where it comes from."""

BASE_ROLE = "paper"
"""Role of the base configuration."""


def confirmed_trials(study: StudyFrame) -> pd.DataFrame:
    """Returns the trials that confirm others with ``name``, their label without the replicate.

    ``settings`` is what they vary, as text.

    What was chosen stands first, in the order of trial numbers, the base configuration last.
    """
    trials = study.trials[in_phases(study.trials, lambda phase: phase.confirms)]
    names = trials["label"].astype(str).map(point_name)
    varied = [settings_text(hparams or {}) for hparams in trials["hparams"]]
    is_base = trials["role"] == BASE_ROLE
    trials = trials.assign(name=names, settings=varied, is_base=is_base)
    return trials.sort_values(["is_base", "number"], kind="stable")


def confirmation_table(study: StudyFrame) -> pd.DataFrame:
    """Returns a row for each confirmed configuration that has networks.

    ``accuracy`` is the mean test accuracy over its replicates at the density ``at``, linear in log
    density between levels, with its 95 % t-interval; ``at`` is the density that the objective
    reads, else that of the ticket when it was chosen. ``difference`` is the accuracy minus the base
    configuration's at the same density, paired by replicate over ``pairs`` of them. ``selected`` is
    the objective by which it was chosen, ``fresh`` the same on these replicates, both on validation
    data; missing for the base configuration and where the objective has several values.
    """
    trials = confirmed_trials(study)
    networks = confirmed_networks(study, trials)
    rows: list[dict[str, Any]] = []
    for name, mine in trials.groupby("name", sort=False):
        trained = networks[networks["name"] == name]
        if trained.empty:
            continue
        at = _read_at(study, mine)
        own = _accuracies(trained, at)
        base = _accuracies(networks[networks["is_base"]], at)
        is_base = bool(mine["is_base"].iloc[0])
        values = mean_interval(own)
        apart = mean_interval([]) if is_base else paired_difference(own, base)
        chosen = None if is_base or len(directions(study)) > 1 else _origin(study, mine)
        row = {
            "name": name,
            "settings": mine["settings"].iloc[0],
            "role": mine["role"].iloc[0],
            "at": at,
        }
        row |= dict(zip(["accuracy", "low", "high", "n"], values, strict=True))
        ends = ["difference", "difference_low", "difference_high", "pairs"]
        row |= dict(zip(ends, apart, strict=True))
        if chosen is not None:
            row |= {"selected": chosen["objective"], "fresh": mine["objective"].mean()}
        rows.append(row)
    return pd.DataFrame(rows, columns=pd.Index(CONFIRMATION_COLUMNS))


def confirmed_networks(study: StudyFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """Returns the tickets of ``confirmed_trials``, with their ``name`` and ``is_base``."""
    tickets = study.records[study.records["branch"] == TRUNK]
    names = trials[["number", "name", "is_base"]].rename(columns={"number": "trial"})
    return tickets.merge(names, on="trial")


def _origin(study: StudyFrame, mine: pd.DataFrame) -> dict[Any, Any] | None:
    """Returns the trial that a confirmed configuration was chosen as."""
    hparams = mine["hparams"].iloc[0]
    drawn = study.trials[in_phases(study.trials, lambda phase: phase.best_of)]
    same = drawn[[one == hparams for one in drawn["hparams"]]]
    return same.iloc[0].to_dict() if len(same) else None


def _read_at(study: StudyFrame, mine: pd.DataFrame) -> float:
    at = reading_density(study)
    if at is not None:
        return at
    # The last value is the ticket's density, of the objectives that leave it to the trial.
    origin = _origin(study, mine)
    found = [origin] if origin is not None else mine.to_dict("records")
    values = [one["values"][-1] for one in found if one["values"]]
    return float(np.mean(values)) if values else float("nan")


def _accuracies(networks: pd.DataFrame, at: float) -> pd.Series:
    """Returns the test accuracy at a density by replicate; without those that are not sound."""
    if networks.empty or not at > 0:
        return pd.Series(dtype=float)
    return _sound(networks, (at,)).set_index("replicate")["accuracy"]


def _sound(networks: pd.DataFrame, grid: Sequence[float]) -> pd.DataFrame:
    # Replicates of a configuration are trials of their own.
    table = response_table(networks.assign(trial=0), grid=grid)
    table = table[table["ok"].astype(bool)].dropna(subset=["accuracy"])
    return table.astype({"accuracy": float})


def difference_curves(networks: pd.DataFrame) -> pd.DataFrame:
    """Returns the line table of test accuracy minus the base configuration's, by replicate.

    Of the networks of ``confirmed_networks``, on ``lttune.records.objectives.DENSITY_GRID``;
    ``level`` is the place in it. Densities that either did not reach, or where one diverged, are
    left out.
    """
    tables = {
        name: _sound(mine, DENSITY_GRID).set_index(["replicate", "density"])["accuracy"]
        for name, mine in networks.groupby("name", sort=False)
    }
    bases = networks.loc[networks["is_base"], "name"].unique()
    parts = [
        (tables[name] - tables[base]).dropna().rename("difference").reset_index().assign(name=name)
        for base in bases
        for name in tables
        if name != base
    ]
    if not sum(len(part) for part in parts):
        return pd.DataFrame(columns=pd.Index(LINE_COLUMNS))
    table = pd.concat(parts, ignore_index=True)
    places = {density: place for place, density in enumerate(DENSITY_GRID)}
    table = table.assign(level=table["density"].map(places), diverged=False)
    return line_table(table, "difference", "name")
