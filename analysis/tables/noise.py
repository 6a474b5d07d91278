"""Where the noise comes from: variance components of test accuracy at given densities.

A mixed model with random effects of the point (its hyperparameters) and of the replicate, which has
the same initial weights and data order at every point. What is left is what a replicate does at one
point and at no other: the noise that pairing by replicate does not remove.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from analysis.frame import StudyFrame, in_phases
from analysis.statistics.components import RESIDUAL, variance_components
from analysis.tables.responses import response_table
from analysis.tables.sweeps import TABLE_DENSITIES, point_name
from lttune.config.control import TRUNK
from lttune.config.design import lacking_contrast

COMPONENT_COLUMNS = ["source", "density", "component", "variance", "share", "groups", "n"]
NOISE_COLUMNS = [*COMPONENT_COLUMNS, "kept_by_pairing", "unknown"]
"""Columns of ``noise_table``."""

FEWEST_TRAJECTORIES = 8
"""Trajectories of more than one point and replicate below which nothing is split."""

WORDS = {
    "point": "between points",
    "replicate": "between replicates",
    RESIDUAL: "point x replicate",
}
"""Random effect -> component."""


def noise_table(
    study: StudyFrame, densities: tuple[float, ...] = (1.0, *TABLE_DENSITIES)
) -> pd.DataFrame:
    """Returns the variance components of each phase with points and replicates, by density.

    Of a sweep each factor is a source of its own, and points are its values. ``variance`` is in
    shares of accuracy squared, by restricted maximum likelihood; ``share`` of their sum; ``groups``
    how many points or replicates it rests on, missing for the rest; ``n`` trajectories that reached
    the density without divergence. ``kept_by_pairing`` is the share of the variance within a point
    that a difference paired by replicate keeps: below 1, pairing helps. ``unknown`` says why both
    shares are missing, empty if they are not.
    """
    rows: list[dict[str, Any]] = []
    for source, networks in _sources(study).items():
        responses = response_table(networks, grid=densities)
        points = networks.drop_duplicates("trial").set_index("trial")["point"]
        responses = responses.assign(point=responses["trial"].map(points))
        sound = responses[responses["ok"].astype(bool)].dropna(subset=["accuracy"])
        for density in densities:
            here = sound[np.isclose(sound["density"], density)]
            rows += _components(source, density, here)
    return pd.DataFrame(rows, columns=pd.Index(NOISE_COLUMNS))


def _sources(study: StudyFrame) -> dict[str, pd.DataFrame]:
    """Returns the tickets of each design and of each sweep, with a column ``point``."""
    tickets = study.records[study.records["branch"] == TRUNK]
    trials = study.trials.set_index("number")["label"].astype(str).map(point_name)
    tickets = tickets.assign(point=tickets["trial"].map(trials).astype(str))
    spread = tickets[
        in_phases(tickets, lambda phase: phase.is_design) & (tickets["role"] != "paper")
    ]
    found = {str(phase): mine for phase, mine in spread.groupby("phase", sort=False)}
    swept = tickets[in_phases(tickets, lambda phase: phase.is_swept)]
    # A point without "=" changes no one factor.
    named = swept[swept["point"].str.contains("=", regex=False)]
    factors = named["point"].str.replace("=.*", "", regex=True)
    return found | {
        f"sweep of {factor}": mine for factor, mine in named.groupby(factors, sort=False)
    }


def _components(source: str, density: float, here: pd.DataFrame) -> list[dict[str, Any]]:
    twice = here["point"].duplicated(keep=False)
    counts = here["point"].nunique(), here.loc[twice, "replicate"].nunique()
    if len(here) < FEWEST_TRAJECTORIES or min(counts) < 2 or here["accuracy"].nunique() < 2:
        return []
    effects = {"point": here["point"], "replicate": here["replicate"]}
    found = variance_components(here["accuracy"].astype(float), np.ones((len(here), 1)), effects)
    within = found.variances["replicate"] + found.variances[RESIDUAL]
    unknown = lacking_contrast(here["accuracy"])
    kept = found.variances[RESIDUAL] / within if within > 0 and not unknown else np.nan
    return [
        {
            "source": source,
            "density": density,
            "component": WORDS[name],
            "variance": variance,
            "share": np.nan if unknown else found.shares[name],
            "groups": found.groups.get(name),
            "n": found.n,
            "kept_by_pairing": kept,
            "unknown": unknown,
        }
        for name, variance in found.variances.items()
    ]
