"""What is decided about the claims of a file: whether each may be judged, and how it ends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from analysis.claims.file.claim import Claim
from analysis.claims.file.question import Question
from analysis.claims.file.reader import Registry
from analysis.claims.judge import all_of, judged
from analysis.claims.lock import Lock
from analysis.claims.networks import arms as networks
from analysis.claims.networks.estimand import Piece, pieces
from analysis.claims.networks.recorded import MissingError, Recorded
from analysis.claims.networks.regime import Regime
from analysis.claims.networks.shares import KeptImportances, judged_by_importance
from analysis.claims.table import Finding, corrected, table, unit
from analysis.statistics.verdicts.verdict import (
    SUPPORTED,
    UNTESTED,
    Verdict,
    counted_in_family,
    not_tested,
)
from lttune.config import LotteryConfig

VALIDATION = {"test_accuracy": "val_accuracy", "end_test_accuracy": "end_val_accuracy"}
"""Column of the test set -> the validation set's."""

SEPARATOR = ": "
"""Between a question's name and the piece of it."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a table of verdicts is made of the same claims and records."""

    factor: float = 1.0
    """Of every margin and smallest difference of interest."""
    validation: bool = False
    """Whether validation accuracy is read where the claim reads test accuracy."""


class Judgement:
    """What stays the same over the claims."""

    def __init__(
        self,
        records: pd.DataFrame | Sequence[pd.DataFrame],
        registry: Registry,
        layers: pd.DataFrame | None,
        lock: Lock | None,
        created: str | None,
        importances: KeptImportances,
    ) -> None:
        self.registry, self.lock, self.importances = registry, lock, importances
        self.refusal = lock.refusal(registry, created) if lock else ""
        self.recorded = Recorded(records, registry, layers)
        self.reading = Reading()

    def table(self, reading: Reading) -> pd.DataFrame:
        """Returns the table of verdicts under a reading."""
        return table(self.findings(reading), self.registry)

    def findings(self, reading: Reading) -> list[Finding]:
        """Returns what is found of each claim and scale, corrected for how many there are."""
        self.reading = reading
        return corrected([row for claim in self.registry.claims for row in self.claim(claim)])

    def claim(self, claim: Claim) -> list[Finding]:
        """Returns the claim's rows before correction."""
        if not claim.questions:
            return [self._untested(claim, None, claim.why)]
        of_arms = any(question.arms for question in claim.questions)
        found = self.recorded.regimes(claim) if of_arms else []
        if not found and of_arms:
            return [self._untested(claim, None, "The records hold none of its networks.")]
        return [self._at(claim, regime) for regime in found or [None]]

    def _at(self, claim: Claim, regime: Regime | None) -> Finding:
        role = self._role(claim, regime)
        if role == "confirmatory" and (refusal := self._refusal(claim, regime)):
            verdict = not_tested(refusal, alpha=claim.alpha)
            return Finding(claim=claim, regime=regime, role=role, part="", unit="", verdict=verdict)
        if reason := too_short(claim.least_steps, regime):
            return self._untested(claim, regime, reason)
        found: list[tuple[str, Verdict]] = []
        short: list[str] = []
        for question in claim.questions:
            if reason := too_short(question.least_steps, regime):
                short.append(f"'{question.name}' is {UNTESTED}: {reason}")
                continue
            try:
                found += self._question(claim, question, regime)
            except MissingError as missing:
                return self._untested(claim, regime, str(missing), question.name)
        if not found:
            return self._untested(claim, regime, " ".join(short))
        part, verdict = all_of(found, claim.alpha)
        if verdict.verdict == UNTESTED:
            untested = self._untested(claim, regime, verdict.reason, part)
            counts = (
                counted_in_family(untested.verdict) if verdict.is_sequential else untested.verdict
            )
            return replace(untested, verdict=counts)
        verdict = self._presuming(claim, regime, _without(verdict, short))
        if verdict.is_sequential and verdict.verdict == "inconclusive":
            verdict = _still_open(verdict, self.most(claim))
        asked = {question.name: question for question in claim.questions}
        measured = unit(asked[part.partition(SEPARATOR)[0]])
        return Finding(
            claim=claim, regime=regime, role=role, part=part, unit=measured, verdict=verdict
        )

    def _question(
        self, claim: Claim, question: Question, regime: Regime | None
    ) -> list[tuple[str, Verdict]]:
        if question.measure == "importance":
            verdict = judged_by_importance(self.importances, question, claim.alpha)
            return [(question.name, verdict)]
        assert regime is not None
        return [
            (
                f"{question.name}{SEPARATOR}{piece.label}" if piece.label else question.name,
                judged(
                    question,
                    piece,
                    alpha=claim.alpha,
                    name=f"{claim.id} {question.name} {piece.label}",
                    factor=self.reading.factor,
                    is_sequential=self.is_sequential,
                ),
            )
            for piece in self.pieces(claim, question, regime, self.most(claim))
        ]

    @property
    def is_sequential(self) -> bool:
        """Whether claims are judged after each replicate: they were locked so."""
        return self.lock is not None and self.lock.is_sequential

    def most(self, claim: Claim) -> int:
        """Returns how many replicates of a claim are read, those that were planned."""
        return claim.n if self.lock is None else self.lock.n.get(claim.id, claim.n)

    def pieces(
        self, claim: Claim, question: Question, regime: Regime, n: int | None = None
    ) -> list[Piece]:
        """Returns the decisions of a question about networks.

        Args:
            claim: whose question it is.
            question: of networks, not of importances.
            regime: of its networks.
            n: replicates, the first ones; None is all there are. Of a sequential rule there may be
                fewer.

        Raises:
            MissingError: if the records lack a cell, or have fewer replicates.
        """
        if question.is_of_counts and (other := regime.other_inputs(self._setting(claim))):
            raise MissingError(
                f"It counts weights of networks with the source's inputs, here {other}."
            )
        if self.reading.validation:
            reads = VALIDATION.get(question.reads, question.reads)
            question = replace(question, reads=reads)
        read = [self.recorded.curves(claim, arm, question, regime) for arm in question.arms]
        pairs = list(zip(question.arms, read, strict=True))
        if absent := [arm for arm, one in pairs if not one.trained]:
            raise MissingError(
                f"The records lack {len(absent)} of {len(read)} cells: {networks.names(absent)}."
            )
        most = max(question.survivors, default=0)
        for arm, one in pairs:
            if one.prunable < most:
                raise MissingError(
                    f"{arm.name} has {one.prunable:,} prunable weights, and {most:,.0f} are asked "
                    "to survive."
                )
        units = sorted(set.intersection(*(set(one.values.index) for one in read)))
        if n is not None and len(units) < n and not self.is_sequential:
            raise MissingError(
                f"{len(units)} of {n} planned replicates are there, {n - len(units)} are missing."
            )
        # The replicates that were planned, and not as many more as it took.
        return pieces(question, read, units[:n])

    def unmet(self, claim: Claim, regime: Regime | None) -> str:
        """Returns why what a claim presumes is not found here, empty if it is or presumes none."""
        if not claim.presumes:
            return ""
        name, _, asked = claim.presumes.partition(SEPARATOR)
        other = self.registry.claim(name)
        question = next(one for one in other.questions if one.name == asked)
        try:
            found = self._question(other, question, regime)
            _, given = all_of(found, other.alpha)
            word, reason = given.verdict, given.reason
        except MissingError as missing:
            word, reason = UNTESTED, str(missing)
        if word in SUPPORTED:
            return ""
        return f"At the source's own setting '{asked}' of {name} is {word} here. {reason}"

    def _presuming(self, claim: Claim, regime: Regime | None, verdict: Verdict) -> Verdict:
        """Returns the verdict, inconclusive where what the claim presumes is not found."""
        if not (text := self.unmet(claim, regime)):
            return verdict
        if verdict.verdict != "inconclusive":
            text += f" Without that it would be {verdict.verdict}."
        kept = (
            counted_in_family(verdict)
            if verdict.is_sequential
            else replace(verdict, p=1.0, p_against=1.0)
        )
        return replace(kept, verdict="inconclusive", reason=text)

    def _setting(self, claim: Claim) -> LotteryConfig:
        return self.registry.settings[claim.setting]

    def _role(self, claim: Claim, regime: Regime | None) -> str:
        if claim.role == "exploratory":
            return claim.role
        if regime is not None and regime.is_proxy(self._setting(claim)):
            return "exploratory (proxy)"
        return claim.role if self.lock is not None else "exploratory (not locked)"

    def _refusal(self, claim: Claim, regime: Regime | None) -> str:
        """Returns why the lock does not hold for a claim, empty if it does."""
        if self.refusal or self.lock is None or regime is None:
            return self.refusal
        return self.lock.refusal_of_networks(self.recorded.first_trained(claim, regime))

    def _untested(
        self, claim: Claim, regime: Regime | None, reason: str, part: str = ""
    ) -> Finding:
        whole = f"{reason} Study: {claim.study}. Cost: {claim.cost}."
        verdict = not_tested(whole, alpha=claim.alpha)
        role = self._role(claim, regime)
        return Finding(claim=claim, regime=regime, role=role, part=part, unit="", verdict=verdict)


def too_short(least: int, regime: Regime | None) -> str:
    """Returns why trainings of a regime say nothing, empty if they do; arms may set their own."""
    steps = dict(regime.values).get("train.steps", math.inf) if regime else 0
    if steps >= least:
        return ""
    return f"It needs trainings of {least:,} steps, these are of {steps:,}."


def _without(verdict: Verdict, short: Sequence[str]) -> Verdict:
    """Returns the verdict where some questions were not asked: parts can refute, not support."""
    if not short or verdict.verdict == "contradicted":
        return verdict
    words = ["The other parts hold."] if verdict.is_supported else [verdict.reason]
    reason = " ".join([*words, *short])
    e = 0.0 if verdict.is_sequential else verdict.e
    return replace(verdict, verdict="inconclusive", p=1.0, e=e, reason=reason)


def _still_open(verdict: Verdict, most: int) -> Verdict:
    """Returns the verdict with how many replicates may still be added."""
    left = f"after {verdict.n} of at most {most}" if verdict.n < most else f"at the {most}"
    text = f"{verdict.reason} It is open {left} replicates that were locked."
    return replace(verdict, reason=text)
