"""The points of a study whose replicates can be added, what one costs, and who reads it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

import pandas as pd

from analysis.claims.file.claim import Claim
from analysis.claims.judgement import Judgement
from analysis.claims.networks.regime import Regime
from analysis.frame import StudyFrame
from lttune.config.phase import PHASES

_REPLICATE = re.compile(r"(?:(?P<label>.*) )?replicate=(?P<id>\d+)")
"""How a trial of one replicate is labelled: with the label of its point, unless it is the base."""


class PointName(NamedTuple):
    """A point of a study."""

    phase: str
    label: str
    """Empty of the base configuration."""


@dataclass(frozen=True, kw_only=True)
class Points:
    """What a study has trained of its points."""

    counts: Mapping[PointName, int]
    """Point -> its replicates from the first on, without a gap, that have ended."""
    seconds: Mapping[PointName, float]
    """Point -> core seconds that a replicate trains, the median of those that did."""
    of_trials: Mapping[int, PointName]
    """Number of a trial -> its point."""


def trained_points(study: StudyFrame) -> Points:
    """Returns the points of the phases that claims read and that have replicates of their own."""
    of_trials: dict[int, PointName] = {}
    ids: dict[PointName, set[int]] = {}
    for trial in study.trials.to_dict("records"):
        phase = PHASES.get(trial["phase"])
        named = _REPLICATE.fullmatch(str(trial["label"]))
        if phase is None or not phase.is_read_by_claims or named is None:
            continue
        point = PointName(phase.name, named["label"] or "")
        of_trials[trial["number"]] = point
        there = ids.setdefault(point, set())
        if trial["state"] == "complete":
            there.add(int(named["id"]))
    spent: dict[PointName, list[float]] = {}
    for number, seconds in study.records.groupby("trial")["train_time_s"].sum().items():
        if (point := of_trials.get(int(str(number)))) is not None:
            spent.setdefault(point, []).append(float(seconds))
    medians = {point: median(found) for point, found in spent.items()}
    counts = {point: _unbroken(found) for point, found in ids.items()}
    return Points(counts=counts, seconds=medians, of_trials=of_trials)


def points_of_claim(
    judgement: Judgement, claim: Claim, regime: Regime, points: Points
) -> frozenset[PointName]:
    """Returns the points whose replicates a claim reads in a regime.

    Of two points of one configuration the one that supplied more replicates.
    """
    found = set[PointName]()
    for question in claim.questions:
        for arm in question.arms:
            rows = judgement.recorded.networks(claim, arm, regime)
            supplied = Counter(
                points.of_trials[int(number)]
                for number in pd.unique(rows["trial"])
                if int(number) in points.of_trials
            )
            found |= {name for name, _ in supplied.most_common(1)}
    return frozenset(found)


def _unbroken(ids: set[int]) -> int:
    count = 0
    while count in ids:
        count += 1
    return count
