"""The claims of a study that are not decided yet, and why each is open."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.claims.decide.points import PointName, Points, points_of_claim, trained_points
from analysis.claims.decide.prospects import RequiredEvidence, probabilities
from analysis.claims.file.question import Question
from analysis.claims.judgement import Judgement, Reading, too_short
from analysis.claims.networks.estimand import Piece
from analysis.claims.networks.recorded import MissingError
from analysis.claims.table import DISCOVERY, Finding, group_of
from analysis.frame import StudyFrame
from analysis.statistics.verdicts.verdict import JUDGED, UNTESTED
from lttune.config.seeding import stream

DECIDED = tuple(word for word in JUDGED if word != "inconclusive")


@dataclass(frozen=True, kw_only=True)
class OpenClaim:
    """A claim at a scale that more replicates may decide."""

    id: str
    scale: str
    n: int
    """Replicates that all of its networks have."""
    most: int
    """Replicates that may be trained for it."""
    points: frozenset[PointName]
    prospects: Mapping[int, float]
    """Number of further replicates -> probability that it is decided by then."""

    def chance(self, more: int) -> float:
        """Returns the probability that it is decided by so many replicates more."""
        return max((p for count, p in self.prospects.items() if count <= more), default=0.0)


@dataclass(frozen=True, kw_only=True)
class ClaimsStanding:
    """How the claims of a study stand."""

    points: Points
    decided: Mapping[str, str]
    """Claim and scale -> its verdict."""
    open: Sequence[OpenClaim]
    closed: Mapping[str, str]
    """Claim and scale -> why no replicate of this study decides it, of those that are not."""


def standing(study: StudyFrame, judgement: Judgement, max_n: int | None = None) -> ClaimsStanding:
    """Returns how the claims stand of which a study has networks.

    Args:
        study: whose replicates may be added.
        judgement: of its records, under its lock.
        max_n: replicates above which none is trained; None is what was locked.
    """
    found = judgement.findings(Reading())
    points, decided, is_open = trained_points(study), dict[str, str](), list[OpenClaim]()
    closed: dict[str, str] = {}
    for one in found:
        if one.regime is None:
            continue
        scale = one.regime.described(judgement.registry.settings[one.claim.setting])
        name = f"{one.claim.id} ({scale})"
        if one.verdict.verdict in DECIDED:
            decided[name] = one.verdict.verdict
            continue
        read = _read(judgement, one)
        theirs = points_of_claim(judgement, one.claim, one.regime, points)
        if not theirs:
            closed[name] = "Its networks are of no point whose replicates can be added."
            continue
        if isinstance(read, str):
            closed[name] = read
            continue
        n = min(len(piece.values) for _, parts in read for piece in parts)
        most = min(judgement.most(one.claim), max_n or judgement.most(one.claim))
        if n >= most:
            closed[name] = f"{one.verdict.reason} No more than {most} replicates may be trained."
            continue
        rng = stream(0, 0, f"prospects {name}")
        more = _horizons(most - n)
        chances = probabilities(one.claim, read, more, _bar(one, found), rng)
        is_open.append(
            OpenClaim(
                id=one.claim.id, scale=scale, n=n, most=most, points=theirs, prospects=chances
            )
        )
    return ClaimsStanding(points=points, decided=decided, open=is_open, closed=closed)


def _read(judgement: Judgement, one: Finding) -> list[tuple[Question, list[Piece]]] | str:
    """Returns what the claim's rules are given, or why more replicates do not decide it."""
    if one.verdict.verdict == UNTESTED and not one.verdict.is_sequential:
        return one.verdict.reason
    assert one.regime is not None
    if text := judgement.unmet(one.claim, one.regime):
        return text
    try:
        return [
            (question, judgement.pieces(one.claim, question, one.regime, judgement.most(one.claim)))
            for question in one.claim.questions
            if question.arms and not too_short(question.least_steps, one.regime)
        ]
    except MissingError as missing:
        return str(missing)


def _horizons(most: int) -> list[int]:
    """Returns numbers of further replicates to look ahead to, each about twice the one before."""
    found = [count for count in (1, 2, 4, 8, 16, 32, 64) if count < most]
    return [*found, most]


def _bar(one: Finding, found: Sequence[Finding]) -> RequiredEvidence:
    """Returns what a claim must reach while the other claims of its family stand as they do."""
    family = [other for other in found if group_of(other) == group_of(one)]
    counted = [other for other in family if not np.isnan(other.verdict.p)]
    words = defaultdict[str, int](int)
    for other in counted:
        words[other.verdict.verdict] += 1
    holds, fails = words["supported"] + words["supported, smaller"], words["contradicted"]
    size = max(len(counted), 1)
    if one.role != "confirmatory":
        p, against = ((words_so_far + 1) * DISCOVERY / size for words_so_far in (holds, fails))
        return RequiredEvidence(p=p, p_against=against, by_e_value=True)
    alpha = one.claim.alpha
    p, against = alpha / max(size - holds, 1), alpha / max(size - fails, 1)
    # Parts that are not asked can leave it open, however the others end.
    whole = all(not too_short(part.least_steps, one.regime) for part in one.claim.questions)
    p = p if whole else -1.0
    return RequiredEvidence(p=p, p_against=against, by_e_value=False)
