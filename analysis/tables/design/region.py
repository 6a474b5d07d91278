"""The region of a design in which networks learn: where the second design of a study goes.

Over a wide design most of the variance is between settings that learn and settings that do not.
Which hyperparameter matters among sane settings is another question, with a design of its own.
"""

from __future__ import annotations

import pandas as pd

from analysis.frame import StudyFrame, in_phases
from analysis.tables.design.points import declared_factors, design_points
from lttune.config.control import TRUNK
from lttune.config.design import INERT, Categorical

MARGIN = 0.01
"""Validation accuracy that a sane dense network may lack against the paper's setting."""
PURITY = 0.95
"""Share of sane points at which a region is good enough."""
PEEL = 0.1
"""Share of a region's points that is taken from one side at a time."""
FEWEST_INSIDE = 8
"""Points that a region keeps at the least."""


def is_sane(study: StudyFrame, margin: float = MARGIN) -> pd.Series:
    """Returns whether a point's dense networks learn, indexed by the first trial of the point.

    A point is sane if its mean validation accuracy is at least that of the paper's point minus
    ``margin``, and none of its dense networks diverged. The paper's point itself is left out.

    Raises:
        ValueError: if the design has no point of the paper with networks.
    """
    points = design_points(study)
    first = {number: row["trial"] for row in points.to_dict("records") for number in row["trials"]}
    dense = study.records[
        in_phases(study.records, lambda phase: phase.is_design)
        & (study.records["branch"] == TRUNK)
        & (study.records["level"] == 0)
    ]
    dense = dense.assign(point=dense["trial"].map(first))
    accuracy = dense.groupby("point")["val_accuracy"].mean()
    papers = points.loc[points["role"] == "paper", "trial"]
    if accuracy.reindex(papers).dropna().empty:
        raise ValueError("the design has no trained point of the paper to measure sanity by")
    bar = float(accuracy.reindex(papers).mean()) - margin
    sane = (accuracy >= bar) & ~dense.groupby("point")["diverged"].any()
    return sane.drop(papers, errors="ignore")


def sane_region(study: StudyFrame, margin: float = MARGIN) -> dict[str, tuple[float, float]]:
    """Returns a box in which nearly all points of a design are sane: path -> (low, high).

    It is found by peeling (PRIM: Friedman & Fisher 1999, Bump Hunting in High-Dimensional Data,
    section 8): the tenth of the points at one end of one factor is taken off, where that raises the
    share of sane points most, until it is 95 % or eight points are left. Only numeric factors that
    a dense network depends on are peeled, not ``prune.*``; those that stay whole are left out.
    ``lttune.config.design.nested`` makes factors of the box.

    Raises:
        ValueError: if there is no point of the paper.
    """
    sane = is_sane(study, margin)
    points = design_points(study).set_index("trial").loc[sane.index]
    peeled = {
        factor.path: factor.distribution
        for factor in declared_factors(study)
        if factor.path != INERT
        and not factor.path.startswith("prune.")
        and not isinstance(factor.distribution, Categorical)
    }
    values = points[list(peeled)].astype(float)
    inside = pd.Series(True, index=values.index)
    while sane[inside].mean() < PURITY:
        kept = [
            part
            for path in peeled
            for part in _peeled(values.loc[inside, path])
            if FEWEST_INSIDE <= len(part) < inside.sum()
        ]
        best = max(kept, key=lambda part: (sane[part.index].mean(), len(part)), default=None)
        if best is None or sane[best.index].mean() <= sane[inside].mean():
            break
        inside = inside & inside.index.isin(best.index)
    region: dict[str, tuple[float, float]] = {}
    for path, distribution in peeled.items():
        every, box = values[path], values.loc[inside, path]
        low = box.min() if box.min() > every.min() else distribution.low
        high = box.max() if box.max() < every.max() else distribution.high
        if (low, high) != (distribution.low, distribution.high):
            region[path] = (float(low), float(high))
    return region


def _peeled(values: pd.Series) -> list[pd.Series]:
    """Returns what is left of points when those at the lower, or the upper end are taken off."""
    low, high = values.quantile(PEEL), values.quantile(1 - PEEL)
    return [values[values > low], values[values < high]]
