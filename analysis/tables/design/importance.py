"""What is estimated from a space-filling design, once for the same networks.

Importances at each density with the surrogate's check, what decides about divergence where some
trajectories diverged, and how wide the good part of each factor's range is.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pandas as pd

from analysis.frame import StudyFrame, in_phases
from analysis.importance import (
    change_table,
    divergence,
    importance_by_density,
    importance_given_ok,
    lead_table,
    left_out_table,
    marginal_widths,
    rank_table,
    saved,
)
from analysis.importance.missing import missing_text
from analysis.importance.saved import Importances
from analysis.importance.width import Width
from analysis.processes import Processes
from analysis.tables.design.current import sample_digest
from analysis.tables.design.points import IMPORTANCE_DENSITIES, DesignSample, design_sample
from analysis.tables.design.readings import READINGS, reference_of
from analysis.tables.objective import answer_density, margin_of
from analysis.tables.sweeps import TABLE_DENSITIES
from lttune.records.interpolation import SAME

FEW_POINTS = 32
"""Points of a design below which all is estimated here: processes would take longer to start."""

_LOG = logging.getLogger(__name__)

GIVEN_OK = IMPORTANCE_DENSITIES[3::4]
"""Densities at which importances among sound trajectories are asked for: Shapley effects visit all
subsets of the factors, which takes half a minute each."""


def importance_tables(study: StudyFrame) -> Importances | str:
    """Returns importances at each density from the design's trials, or why there are none.

    They are kept in the study's folder, and estimated once for the same networks.
    """
    sample = design_sample(study)
    if isinstance(sample, str):
        return sample
    dense = study.records[
        in_phases(study.records, lambda phase: phase.is_base) & (study.records["level"] == 0)
    ]
    options = {"margin": margin_of(study), "reference": reference_of(sample.responses, dense)}
    path = study.folder / saved.NAME
    key = saved.key_of(sample.points, sample.responses, sample.factors, **options)
    digest = sample_digest(study, sample)
    found = saved.find(path, key, study.study_id)
    if found is not None and found.sample == digest:
        return found
    if found is None:
        found = _estimated(sample, digest, **options)
    # Of the same key are the same numbers: a trial's state or objective, which are in the sample
    # and not in the key, makes no others.
    found = replace(found, sample=digest)
    saved.save(path, key, found, study.study_id)
    return found


def design_tables(study: StudyFrame) -> tuple[Importances | None, str]:
    """Returns what is estimated of a study's design, and why there is nothing, or not all of it.

    None and an empty text for a study without a design.
    """
    if not in_phases(study.records, lambda phase: phase.is_design).any():
        return None, ""
    found = importance_tables(study)
    if isinstance(found, str):
        return None, found
    notes = missing_text(found.missing[found.missing["density"].isin(found.strip["density"])])
    notes += unknown_text(found.strip)
    # Those of a design that ends where the answer is given have no less than they were made for.
    if found.ended and found.strip["density"].min() > answer_density(study) * (1 + SAME):
        notes.append(f"The curves end early: {found.ended}.")
    return found, " ".join(notes)


def unknown_text(strip: pd.DataFrame) -> list[str]:
    """Returns a sentence for each reason why no shares are known, and at which densities."""
    text: list[str] = []
    without = strip[strip["status"] != "ok"]
    # What comes after a colon are the numbers of one density.
    kinds = [str(reason).partition(":")[0] for reason in without["reason"]]
    for kind in dict.fromkeys(kinds):
        mine = without[[other == kind for other in kinds]]
        places = ", ".join(f"{100 * density:.3g} %" for density in mine["density"])
        reason = mine["reason"].iloc[0] if len(mine) == 1 else kind
        text.append(f"Shares are not known at {places} of the weights ({reason}).")
    return text


def _estimated(sample: DesignSample, digest: str, margin: float, reference: float) -> Importances:
    at_grid = sample.responses["density"].isin(sample.densities)
    whole = sample.points, sample.responses[at_grid], sample.factors
    with Processes(None if len(sample.points) >= FEW_POINTS else 1) as processes:
        told = f"estimating the importances of {len(sample.factors)} factors"
        curves = importance_by_density(*whole, every=lambda calls: processes.all(calls, told))
        diverges, given_ok, text = _two_parts(sample, processes)
        widths = _widths(sample, margin, reference, processes)
    return Importances(
        table=curves.table,
        strip=curves.strip,
        left_out=left_out_table(curves),
        missing=curves.missing,
        ranks=rank_table(curves),
        leads=lead_table(curves),
        changes=change_table(curves),
        widths=widths,
        diverges=diverges,
        given_ok=given_ok,
        sample=digest,
        ended=curves.ended,
        divergence=text,
    )


def _widths(
    sample: DesignSample, margin: float, reference: float, processes: Processes
) -> pd.DataFrame:
    keys: list[dict[str, Any]] = []
    calls: list[Callable[[], dict[str, Width]]] = []
    for density in TABLE_DENSITIES:
        here = sample.responses[sample.responses["density"] == density]
        here = here[here["ok"].astype(bool) & here["gain"].notna()]
        for name, reading in READINGS.items() if len(here) else ():
            values, lost = reading(here, margin, reference)
            given = sample.points, here.assign(value=values), sample.factors
            calls.append(partial(marginal_widths, *given, margin=lost))
            keys.append({"density": density, "reading": name})
    found = processes.all(calls, "estimating how wide the good part of each range is")
    return pd.DataFrame(
        [
            {**key, "factor": path, **vars(one)}
            for key, widths in zip(keys, found, strict=True)
            for path, one in widths.items()
        ]
    )


def _two_parts(
    sample: DesignSample, processes: Processes
) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """Returns what decides about divergence, what matters without it, and what to say of both."""
    responses, points, factors = sample.responses, sample.points, sample.factors
    bad = ~responses["ok"].astype(bool) | (responses["missing"] == "diverged above")
    responses = responses.assign(ok=~bad)
    whole = responses.groupby(["trial", "replicate"])["ok"].all().reset_index()
    if whole["ok"].all():
        return pd.DataFrame(), pd.DataFrame(), ""
    at = [here for density in GIVEN_OK if not (here := _reached(responses, density))["ok"].all()]
    calls: list[Callable[[], Any]] = [
        partial(divergence, points, whole, factors),
        *(partial(importance_given_ok, points, here, factors) for here in at),
    ]
    found, *givens = processes.all(calls, "estimating what decides about divergence")
    text = (
        f"{(~whole['ok']).sum()} of {len(whole)} trajectories diverged at some level"
        f"{f': {found.reason}' if found.reason else f', Brier skill {found.skill:.2f}'}."
    )
    effects: list[pd.DataFrame] = []
    for here, given in zip(at, givens, strict=True):
        density = here["density"].iloc[0]
        if given.unknown:
            place = f"{100 * density:.3g} % of the weights"
            text += f" What matters where it is sound is not known at {place} ({given.unknown})."
        if len(given.shapley):
            n = given.importance.trajectories
            effects.append(given.shapley.assign(density=density, n=n))
    return found.table, pd.concat(effects) if effects else pd.DataFrame(), text


def _reached(responses: pd.DataFrame, density: float) -> pd.DataFrame:
    """Returns the responses at a density of the trajectories that come to it."""
    here = responses[responses["density"] == density]
    return here[here["missing"] != "not reached"]
