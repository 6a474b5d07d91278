"""The verdict on a piece, and on several that must all hold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from analysis.claims.file.question import Question
from analysis.claims.networks.estimand import Piece
from analysis.claims.terms import terms
from analysis.statistics.ratios import ratio_of
from analysis.statistics.sequential.process import PROCESSES
from analysis.statistics.verdicts.form import FORMS, Form
from analysis.statistics.verdicts.verdict import UNTESTED, Verdict, counted_in_family, not_tested
from lttune.config.seeding import stream

CENSORED = {
    "supported": "The interval supports it, but steps or densities at the end of what was trained "
    "only bound the true ones.",
    "contradicted": "The interval contradicts it, but steps or densities at the end of what was "
    "trained only bound the true ones.",
}
UNFINISHED = (
    "More than half of the networks of a cell had their early stop in the last tenth of training, "
    "so that a longer one may change their accuracies"
)
LEAST_SOUND = 0.9
"""Share of the planned replicates that must have a sound value."""


def judged(
    question: Question,
    piece: Piece,
    *,
    alpha: float,
    name: str,
    factor: float = 1.0,
    is_sequential: bool = False,
) -> Verdict:
    """Returns the verdict on one piece.

    Args:
        question: how it is decided.
        piece: the numbers.
        alpha: level of the rule.
        name: names the random stream, so that a verdict does not depend on what else is asked.
        factor: of margin and smallest difference of interest, for the table of sensitivity.
        is_sequential: whether more replicates may follow, and these be judged again.
    """
    form = FORMS[question.form]
    planned = len(piece.values)
    there = ~np.isnan(piece.values if piece.values.ndim == 2 else piece.values[:, None])
    sound = int((there.all(axis=1) if form.needs_whole_rows else there.any(axis=1)).sum())
    options = form.options(terms(question, factor))
    if is_sequential and form.sequential is None:
        return not_tested(f"A claim of the form {question.form} is judged once.", alpha=alpha)
    if is_sequential and form.sequential is not None:
        # Logarithms of ratios may be skewed.
        process = PROCESSES["sign" if question.is_ratio else "t"]
        verdict = form.sequential(piece.values, **options, process=process, alpha=alpha)
    else:
        chance = {} if form.takes == "number" else {"rng": stream(0, 0, f"claim {name}")}
        verdict = form.rule(piece.values, **options, alpha=alpha, **chance)
    if sound < LEAST_SOUND * planned:
        reason = f"{planned - sound} of {planned} replicates have no sound network at some density."
        if verdict.verdict != UNTESTED:
            # Of those that diverged least is known: a verdict without them is no verdict on all.
            reason += (
                f" The other {sound} alone would make it {verdict.verdict}; of "
                f"{_least_sound(planned - sound)} planned replicates or more that many may be lost."
            )
        lost = not_tested(reason, n=sound, alpha=alpha)
        return counted_in_family(lost) if is_sequential else lost
    return _shown(question, _finished(_bounded(verdict, piece, form), piece), piece.values)


def _least_sound(lost: int) -> int:
    """Returns how many planned replicates may lack as many sound ones."""
    return math.ceil(round(lost / (1 - LEAST_SOUND), 6))


def all_of(verdicts: Sequence[tuple[str, Verdict]], alpha: float) -> tuple[str, Verdict]:
    """Returns the verdict on a claim that holds if all of these do, and which decided.

    An intersection-union test: each is tested at alpha without correction, and the largest p is the
    claim's. It is contradicted if one of them is, with Bonferroni's correction; a part that is
    supported speaks against nothing, however sure it is that its effect is small.
    """
    if len(verdicts) == 1:
        return verdicts[0]
    size = len(verdicts)
    p = _most([one.p for _, one in verdicts])
    against = min(
        1.0, size * _least([one.p_against for _, one in verdicts if not one.is_supported])
    )
    n = min(one.n for _, one in verdicts)
    e = e_against = math.nan
    if any(one.is_sequential for _, one in verdicts):
        # A part that has none, such as one of importances, adds nothing.
        e = min(float(np.nan_to_num(one.e)) for _, one in verdicts)
        e_against = (
            sum(
                0.0 if one.is_supported else float(np.nan_to_num(one.e_against))
                for _, one in verdicts
            )
            / size
        )
    whole = {"p": p, "p_against": against, "e": e, "e_against": e_against, "n": n}
    refuted = [pair for pair in verdicts if pair[1].verdict == "contradicted"]
    if refuted and against <= alpha:
        label, one = min(refuted, key=lambda pair: pair[1].p_against)
        return label, replace(one, **whole)
    for label, one in verdicts:
        if one.verdict == UNTESTED:
            return label, one
    if all(one.is_supported for _, one in verdicts):
        label, one = max(verdicts, key=lambda pair: (pair[1].verdict != "supported", pair[1].p))
        reason = f"All {size} parts hold. {one.reason}"
        return label, replace(one, **whole, reason=reason)
    held = sum(one.is_supported for _, one in verdicts)
    label, one = max(
        (pair for pair in verdicts if not pair[1].is_supported),
        key=lambda pair: -1.0 if math.isnan(pair[1].p) else pair[1].p,
    )
    reason = f"{held} of {size} parts hold. {one.reason}"
    return label, replace(one, **whole, verdict="inconclusive", reason=reason)


def _bounded(verdict: Verdict, piece: Piece, form: Form) -> Verdict:
    """Returns the verdict without what numbers that are only bounds cannot show."""
    if form.shows == "rank correlation":
        return verdict
    unsure_for = piece.lower or (piece.higher and not form.one_sided)
    unsure_against = piece.higher or (piece.lower and not form.one_sided)
    word = verdict.verdict
    bad = (unsure_for and verdict.is_supported) or (unsure_against and word == "contradicted")
    p = 1.0 if unsure_for and not math.isnan(verdict.p) else verdict.p
    against = 1.0 if unsure_against and not math.isnan(verdict.p_against) else verdict.p_against
    verdict = replace(verdict, p=p, p_against=against)
    if verdict.is_sequential:
        e = 0.0 if unsure_for else verdict.e
        e_against = 0.0 if unsure_against else verdict.e_against
        verdict = replace(verdict, e=e, e_against=e_against)
    if not bad:
        return verdict
    reason = CENSORED["contradicted" if word == "contradicted" else "supported"]
    return replace(verdict, verdict="inconclusive", reason=reason)


def _finished(verdict: Verdict, piece: Piece) -> Verdict:
    """Returns the verdict without a contradiction by networks that were trained too shortly.

    A claim about trained networks is not refuted by others. What supports it is shown of trainings
    of this length, which the table says beside it.
    """
    if not piece.unfinished:
        return verdict
    against = 1.0 if not math.isnan(verdict.p_against) else verdict.p_against
    if verdict.is_sequential:
        verdict = replace(verdict, e_against=0.0)
    if verdict.verdict == "contradicted":
        reason = f"The interval contradicts it. {UNFINISHED}."
        return replace(verdict, verdict="inconclusive", p_against=against, reason=reason)
    reason = f"{verdict.reason} {UNFINISHED}." if verdict.is_supported else verdict.reason
    return replace(verdict, p_against=against, reason=reason)


def _shown(question: Question, verdict: Verdict, values: np.ndarray) -> Verdict:
    """Returns the verdict with its estimate in the direction measured, and ratios as ratios."""
    low, high, mean = verdict.low, verdict.high, verdict.estimate
    form = FORMS[question.form]
    shows = form.shows
    # Two values differ in a direction; how far more of them lie apart has none.
    signed = shows != "size" or (form.takes == "either" and values[:1].size <= 2)
    if question.direction == "down" and signed:
        low, high, mean = -high, -low, -mean
    # What has no noise was not compared with the number, which makes ratios of logarithms.
    is_log = shows in ("difference", "size") or math.isnan(verdict.p)
    if question.is_ratio and is_log:
        low, high, mean = map(ratio_of, (low, high, mean))
    return replace(verdict, low=low, high=high, estimate=mean)


def _most(p: Sequence[float]) -> float:
    return math.nan if any(math.isnan(x) for x in p) else max(p)


def _least(p: Sequence[float]) -> float:
    known = [x for x in p if not math.isnan(x)]
    return min(known) if known else math.nan
