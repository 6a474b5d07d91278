"""The space-filling design of a study as a sample: its points, and their responses by density."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from analysis.frame import StudyFrame, in_phases
from analysis.importance.by_density import MAX_MISSING
from analysis.importance.sample import FEWEST_POINTS, coordinates
from analysis.tables.objective import answer_density
from analysis.tables.responses import NEAR, response_table
from analysis.tables.sweeps import TABLE_DENSITIES, point_name
from analysis.tables.trials import settings
from lttune.config.control import TRUNK
from lttune.config.design import INERT, SPREAD, Factor
from lttune.config.lottery.length import joined_settings
from lttune.errors import listed
from lttune.records.objectives import DENSITY_GRID

IMPORTANCE_DENSITIES = DENSITY_GRID[::2]
"""Densities at which importances are estimated, every other of the grid: each takes seconds."""

RESPONSE = "accuracy"
"""Test accuracy: gain is zero at density 1 by definition, and has nothing to share there."""


@dataclass(frozen=True, kw_only=True)
class DesignSample:
    """The points that were trained, and what their trajectories reached."""

    points: pd.DataFrame
    """As ``design_points``."""
    responses: pd.DataFrame
    """As ``response_table`` on ``densities`` and those of widths; replicates of a point belong to
    one ``trial``, and ``value`` is the column ``RESPONSE``."""
    factors: list[Factor]
    """The declared distributions."""
    densities: tuple[float, ...]
    """Those at which importances are estimated: ``IMPORTANCE_DENSITIES``, and that of the study's
    answer where too few trajectories reach the next of them. Elsewhere one of them is near."""


def declared_factors(study: StudyFrame) -> list[Factor]:
    """Returns the factors that the design varies, as ``study.json`` declares them."""
    return [Factor.from_plain(values) for values in study.info.get("factors") or []]


def design_points(study: StudyFrame) -> pd.DataFrame:
    """Returns one row for each point of the design: ``trial``, ``role``, ``inert``, its values.

    Replicates of a point are trials of their own; ``trial`` is the first, ``trials`` lists all.
    """
    base = settings(study)
    rows: dict[tuple[str, str], dict[str, object]] = {}
    inert = study.records.groupby("trial")["inert"].first() if "inert" in study.records else {}
    for trial in study.trials[in_phases(study.trials, lambda phase: phase.is_design)].to_dict(
        "records"
    ):
        name, number = (trial["phase"], point_name(str(trial["label"]))), trial["number"]
        values = {**joined_settings(base, trial["hparams"] or {}), INERT: inert.get(number)}
        row = rows.setdefault(name, {**values, "trial": number, "role": trial["role"]})
        row.setdefault("trials", []).append(number)  # type: ignore[attr-defined]
        if row[INERT] is None:
            row[INERT] = values[INERT]
    return pd.DataFrame(list(rows.values()))


@functools.lru_cache(maxsize=1)
def design_sample(study: StudyFrame) -> DesignSample | str:
    """Returns the design's sample, or why there is none to estimate from.

    It is kept, as a report asks for it at each file of importances.
    """
    declared = declared_factors(study)
    if not declared:
        return "study.json declares no factors for the design, so importances are not estimated."
    points = design_points(study)
    first = {number: row["trial"] for row in points.to_dict("records") for number in row["trials"]}
    tickets = study.records[
        in_phases(study.records, lambda phase: phase.is_design) & (study.records["branch"] == TRUNK)
    ]
    densities = IMPORTANCE_DENSITIES
    responses = _responses(tickets, densities)
    spread = points["role"].isin(SPREAD)
    numbers = {one for listed in points.loc[spread, "trials"] for one in listed}
    of_spread = responses[responses["trial"].isin(numbers)]
    if ends_early(of_spread, answer_density(study)):
        densities = tuple(sorted({*densities, answer_density(study)}, reverse=True))
        responses = _responses(tickets, densities)
    responses = responses.assign(trial=responses["trial"].map(first))
    # Of a point that nothing was trained of yet, some coordinates may be unknown.
    points = points[points["trial"].isin(responses["trial"])]
    if why := _no_place(points, declared):
        return why
    chosen = points["role"].isin(SPREAD)
    if (drawn := chosen.sum()) < FEWEST_POINTS:
        takes = f"importances take {FEWEST_POINTS} or more"
        return f"{drawn} points of the design are trained, and {takes}."
    responses = responses[responses["trial"].isin(points.loc[chosen, "trial"])]
    return DesignSample(
        points=points[chosen], responses=responses, factors=declared, densities=densities
    )


def _responses(tickets: pd.DataFrame, densities: Sequence[float]) -> pd.DataFrame:
    grid = sorted({*densities, *TABLE_DENSITIES}, reverse=True)
    table = response_table(tickets, grid=grid)
    return table.assign(value=table[RESPONSE])


def ends_early(responses: pd.DataFrame, density: float) -> bool:
    """Returns whether too few trajectories have a value at the next density of the grid below one.

    Args:
        responses: as ``response_table`` on ``IMPORTANCE_DENSITIES``, of what a design spreads.
        density: the one that the answer is about.
    """
    if any(math.isclose(one, density, rel_tol=NEAR) for one in IMPORTANCE_DENSITIES):
        return False
    below = max((one for one in IMPORTANCE_DENSITIES if one < density), default=0.0)
    here = responses[responses["density"] == below]
    lost = here["value"].isna() | ~here["ok"].astype(bool)
    return below == 0 or bool(lost.mean() > MAX_MISSING)


def _no_place(points: pd.DataFrame, declared: Sequence[Factor]) -> str:
    """Returns why points have no place among the declared factors; empty if they have."""
    if points.empty:
        return ""
    rows, paths = points[points["role"].isin(SPREAD)], [factor.path for factor in declared]
    why = ""
    if lacking := [path for path in paths if path not in rows]:
        why = f"trials of the design lack {listed(lacking)}, a factor in study.json"
    else:
        try:
            coordinates(rows, declared, unit=False)
        except (TypeError, ValueError) as error:
            why = f"factors of study.json are not those of its trials ({error})"
    return why and f"{why}, so importances are not estimated."
