"""How wide is good: over how much of a factor's range a ticket keeps its accuracy, by density."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from analysis.frame import StudyFrame
from analysis.importance import sweep_width
from analysis.importance.saved import Importances
from analysis.tables.design.points import declared_factors
from analysis.tables.design.readings import READINGS, reference_of
from analysis.tables.objective import margin_of
from analysis.tables.responses import response_table
from analysis.tables.sweeps import TABLE_DENSITIES, is_numeral, sweep_networks

WIDTH = ["source", "factor", "density", "reading", "width", "low", "high", "whole", "unit", "open"]
WIDTH_COLUMNS = [*WIDTH, "n", "reason"]
"""Columns of ``width_table``."""

FEWEST_VALUES = 3
"""Values of a sweep from which there is a width."""

OF_SWEEPS, OF_DESIGN = "sweep", "design"
"""Sources of a width."""

DECADE = 10.0
"""Ratio of the ends of a sweep from which its values count on a log scale."""


def width_table(study: StudyFrame, design: Importances | None) -> pd.DataFrame:
    """Returns the width of the good part of each factor's range, by density and reading of "good".

    ``source`` is "sweep", where all else is at the paper's setting, or "design", where it is
    averaged over the declared ranges. ``width`` and its 95 % interval, and the width of the
    ``whole`` range that was looked at, are in ``unit``: decades, or the factor's own. ``open`` says
    at which ends the range is still good, so that the true width is larger. ``n`` counts the
    replicates of a sweep that have all values, or the trajectories of the design; ``reason`` says
    why a width is unknown.
    """
    rows = [*_of_sweeps(study), *(_of_design(study, design.widths) if design else ())]
    return pd.DataFrame(rows, columns=pd.Index(WIDTH_COLUMNS))


def _of_sweeps(study: StudyFrame) -> list[dict[str, Any]]:
    margin = margin_of(study)
    rows: list[dict[str, Any]] = []
    for factor, swept in sweep_networks(study).groupby("factor", sort=False):
        marked = swept[(swept["mark"] != "") & (swept["level"] == 0)]
        mine = swept[swept["value"].map(is_numeral).astype(bool)]
        values = sorted({float(value) for value in mine["value"]})
        if len(values) < FEWEST_VALUES:
            continue
        log = values[0] > 0 and values[-1] / values[0] >= DECADE
        responses = response_table(mine, grid=TABLE_DENSITIES)
        of_trial = mine.drop_duplicates("trial").set_index("trial")["value"].astype(float)
        responses = responses.assign(swept=responses["trial"].map(of_trial))
        # What ended by divergence is bad; what was not trained that deep is unknown.
        known = responses[responses["missing"].isin(["", "diverged above"])]
        reference = reference_of(responses[np.isfinite(responses["accuracy"])], marked)
        for density in TABLE_DENSITIES:
            here = known[np.isclose(known["density"], density)]
            if here["swept"].nunique() < len(values):
                continue
            for name, reading in READINGS.items():
                gain, lost = reading(here, margin, reference)
                table = here.assign(value=here["swept"], gain=gain.where(here["ok"].astype(bool)))
                try:
                    one = sweep_width(table, margin=lost, log=log)
                except ValueError:  # No replicate has all values.
                    continue
                key = {"source": OF_SWEEPS, "factor": str(factor), "density": density}
                unit = "decades" if log else str(factor)
                rows.append({**key, "reading": name, "unit": unit, **_plain(vars(one))})
    return rows


def _of_design(study: StudyFrame, widths: pd.DataFrame) -> list[dict[str, Any]]:
    declared = declared_factors(study)
    logs = {
        factor.path: hasattr(factor.distribution, "decades")
        or bool(getattr(factor.distribution, "log", False))
        for factor in declared
    }
    return [
        {
            "source": OF_DESIGN,
            "unit": "decades" if logs.get(row["factor"]) else row["factor"],
            **_plain(row),
        }
        for row in widths.to_dict("records")
    ]


def _plain(one: dict[Any, Any]) -> dict[Any, Any]:
    ends = [name for name in ("low", "high") if one[f"opens_{name}"]]
    return {**one, "open": " and ".join(ends)}
