"""How likely a claim is decided by some replicates more, from those that there are.

Replicates that are yet to come are drawn from what is known of the noise: of normal numbers with
the reference prior on their mean and covariance, as far as there are replicates to span it. What is
drawn is judged as what was trained is.

Shape suffixes: R replicates, C columns of all pieces of a question.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.claims.file.claim import Claim
from analysis.claims.file.question import Question
from analysis.claims.judge import all_of, judged
from analysis.claims.networks.estimand import Piece
from analysis.statistics.sequential.looks import FIRST_LOOK, p_of
from analysis.statistics.verdicts.verdict import UNTESTED, Verdict

FUTURES = 60
"""Futures that are drawn: the standard error of a probability is .06 at most."""
UNFORESEEN = 0.5
"""Probability that is taken where fewer than two replicates say how far they lie apart."""


@dataclass(frozen=True, kw_only=True)
class RequiredEvidence:
    """What a claim's evidence must reach, as the others of its family stand."""

    p: float
    """The largest p that supports it."""
    p_against: float
    """The largest p that contradicts it."""
    by_e_value: bool
    """Whether 1 / e at the last replicate is compared, and not p."""

    def is_reached(self, verdict: Verdict) -> bool:
        """Returns whether a verdict would stand after the correction."""
        if verdict.verdict in ("inconclusive", UNTESTED):
            return False
        if self.by_e_value:
            p, against = p_of(verdict.e), p_of(verdict.e_against)
        else:
            p, against = verdict.p, verdict.p_against
        return against <= self.p_against if verdict.verdict == "contradicted" else p <= self.p


def probabilities(
    claim: Claim,
    pieces: Sequence[tuple[Question, Sequence[Piece]]],
    more: Sequence[int],
    bar: RequiredEvidence,
    rng: np.random.Generator,
) -> Mapping[int, float]:
    """Returns number of further replicates -> probability that the claim is decided by then.

    Args:
        claim: an open one.
        pieces: of each of its questions about networks, what its rule was given.
        more: numbers of further replicates, >= 1.
        bar: what its evidence must reach.
        rng: draws the futures.
    """
    n = min(len(piece.values) for _, parts in pieces for piece in parts)
    if n < 2:
        return {count: UNFORESEEN * (n + count >= FIRST_LOOK) for count in more}
    decided = dict.fromkeys(more, 0)
    for _ in range(FUTURES):
        futures = [(question, _future(parts, max(more), rng)) for question, parts in pieces]
        for count in sorted(more):
            if bar.is_reached(_judged(claim, futures, n, count)):
                # What is decided stays so: by e-values nearly, and else it would be trained less.
                for later in (one for one in more if one >= count):
                    decided[later] += 1
                break
    return {count: decided[count] / FUTURES for count in more}


def _judged(
    claim: Claim,
    futures: Sequence[tuple[Question, Sequence[Piece]]],
    n: int,
    count: int,
) -> Verdict:
    found = []
    for question, parts in futures:
        for piece in parts:
            cut = replace(piece, values=piece.values[: n + count])
            one = judged(question, cut, alpha=claim.alpha, name=claim.id, is_sequential=True)
            found.append((piece.label, one))
    return all_of(found, claim.alpha)[1]


def _future(parts: Sequence[Piece], count: int, rng: np.random.Generator) -> list[Piece]:
    """Returns the pieces of a question with so many replicates more, drawn together."""
    tables = [one.values.reshape(len(one.values), -1) for one in parts]
    x_RC = np.concatenate(tables, axis=1)
    drawn_RC = _drawn(x_RC, count, rng)
    ends = np.cumsum([table.shape[1] for table in tables])[:-1]
    news = np.split(drawn_RC, ends, axis=1)
    return [
        replace(one, values=np.concatenate([one.values, new.reshape(count, *one.values.shape[1:])]))
        for one, new in zip(parts, news, strict=True)
    ]


def _drawn(x_RC: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:  # noqa: N803
    """Returns rows of the posterior predictive distribution; a missing value is its column's mean.

    Each is a normal combination of the rows' deviations, which has their covariance, wherever
    that has fewer dimensions than there are columns.
    """
    known_RC = np.where(np.isnan(x_RC), np.nan_to_num(np.nanmean(x_RC, axis=0)), x_RC)
    n = len(known_RC)
    mean_C = known_RC.mean(axis=0)
    spread_RC = (known_RC - mean_C) / math.sqrt(n - 1)
    scale = math.sqrt((n - 1) / rng.chisquare(n - 1))
    centre_C = mean_C + scale / math.sqrt(n) * (rng.normal(size=n) @ spread_RC)
    return centre_C + scale * (rng.normal(size=(count, n)) @ spread_RC)
