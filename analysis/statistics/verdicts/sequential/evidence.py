"""What e-processes say of a question, and of several: the parts of the sequential rules.

A p is the least that any look so far gave, so that it is right whenever one stops. Of several
questions that must all be answered the largest p counts (intersection-union). Of several of which
one is enough the least p counts, times how many they are, and the e-values are averaged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from analysis.statistics.intervals import Estimate, present
from analysis.statistics.sequential.looks import FIRST_LOOK, averaged, ever, latest
from analysis.statistics.sequential.mixture import OneSide
from analysis.statistics.sequential.process import Process
from analysis.statistics.verdicts.verdict import (
    Verdict,
    Word,
    counted_in_family,
    decided,
    not_tested,
    undecidable,
)


class SequentialEvidence(NamedTuple):
    """What is said against a null."""

    p: float
    """Anytime-valid, in [0, 1]."""
    e: float
    """At the last replicate, >= 0."""


def one(path: np.ndarray, times: int = 1) -> SequentialEvidence:
    """Returns the evidence of a path; ``times`` is over how many questions alpha is shared."""
    return SequentialEvidence(min(1.0, times * ever(path)), latest(path) / times)


def all_true(parts: Sequence[SequentialEvidence]) -> SequentialEvidence:
    """Returns the evidence that all of several questions are to be answered yes."""
    return SequentialEvidence(max(part.p for part in parts), min(part.e for part in parts))


def any_true(paths: Sequence[np.ndarray]) -> SequentialEvidence:
    """Returns the evidence that one of several questions is to be answered yes.

    By Bonferroni's p, which holds whatever each process is stopped by: the t-processes are each of
    their own scale, and the mean of such is no e-process (Choe & Ramdas 2024, Combining evidence
    across filtrations). At one replicate the mean of e-values is one.
    """
    p = min(1.0, len(paths) * min(ever(path) for path in paths))
    return SequentialEvidence(p, latest(averaged(paths)))


def two_sided(process: Process, values: np.ndarray, side: OneSide) -> SequentialEvidence:
    """Returns the evidence of one side of 0, where the other side has as much of alpha."""
    return one(process.log_e(values, side=side), 2)


def within(process: Process, values: np.ndarray, margin: float) -> SequentialEvidence:
    """Returns the evidence of a location in (-margin, margin): two one-sided questions."""
    below = process.log_e(values, null=margin, side="less")
    above = process.log_e(values, null=-margin, side="greater")
    return all_true([one(below), one(above)])


def early_verdict(columns: Sequence[np.ndarray], alpha: float) -> Verdict | None:
    """Returns the verdict before the first look, or on values that do not differ at all."""
    fewest = min(len(present(column)) for column in columns)
    if fewest < FIRST_LOOK:
        return too_few(fewest, alpha)
    early = undecidable(columns, alpha)
    return None if early is None else counted_in_family(early)


def too_few(n: int, alpha: float) -> Verdict:
    """Returns the verdict before the first look; its p of 1 counts in the family that was fixed."""
    reason = f"{n} of the {FIRST_LOOK} replicates of the first look have a value."
    return counted_in_family(not_tested(reason, n=n, alpha=alpha))


def decided_by(
    process: Process,
    estimate: Estimate,
    level: float,
    for_: SequentialEvidence,
    against: SequentialEvidence,
    alpha: float,
    reasons: Mapping[Word, str],
) -> Verdict:
    """Returns the verdict; in a reason, ``{}`` is what the process asks about."""
    found = decided(estimate, level, for_.p, against.p, alpha, reasons)
    reason = found.reason.format(process.location)
    return replace(found, reason=reason, e=for_.e, e_against=against.e)
