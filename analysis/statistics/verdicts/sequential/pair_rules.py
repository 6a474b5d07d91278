"""The sequential rules for claims about one number per replicate: what ``pair_rules`` asks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from analysis.statistics.intervals import Estimate
from analysis.statistics.ratios import ratio_of, zone
from analysis.statistics.sequential.process import Process
from analysis.statistics.verdicts.sequential.evidence import (
    SequentialEvidence,
    all_true,
    any_true,
    decided_by,
    early_verdict,
    one,
    two_sided,
    within,
)
from analysis.statistics.verdicts.verdict import Verdict, Word


def sequential_superiority(
    values: np.ndarray, *, process: Process, smallest: float = 0.0, alpha: float = 0.05
) -> Verdict:
    """Decides "A is better than B" as the fixed rule of that name does.

    Supported and contradicted share alpha, each side half of it.
    """
    if early := early_verdict([values], alpha):
        return early
    for_, against = two_sided(process, values, "greater"), two_sided(process, values, "less")
    reasons: dict[Word, str] = {
        "supported": "The confidence sequence lies above 0 and the {} reaches the smallest "
        "difference that matters.",
        "contradicted": "The confidence sequence lies below 0.",
    }
    if smallest > 0:
        none = within(process, values, smallest)
        if for_.p > alpha and none.p < against.p:
            reasons["contradicted"] = (
                "The difference is shown to be smaller than the smallest that matters."
            )
        # Both are of one null, and no more than what speaks against ``smallest`` alone.
        against = SequentialEvidence(min(against.p, none.p), max(against.e, none.e))
    estimate = process.sequence(values, 1 - alpha)
    verdict = decided_by(process, estimate, 1 - alpha, for_, against, alpha, reasons)
    if not verdict.is_supported or estimate.mean >= smallest:
        return verdict
    reason = (
        f"The confidence sequence lies above 0, but the {process.location} is below the smallest "
        "that matters."
    )
    return replace(verdict, verdict="supported, smaller", reason=reason)


def sequential_no_worse(
    values: np.ndarray, *, process: Process, margin: float, alpha: float = 0.05
) -> Verdict:
    """Decides "A matches B" as the fixed rule of that name does."""
    if early := early_verdict([values], alpha):
        return early
    for_ = one(process.log_e(values, null=-margin, side="greater"))
    against = one(process.log_e(values, null=-margin, side="less"))
    reasons: dict[Word, str] = {
        "supported": "The lower bound is above the margin.",
        "contradicted": "The upper bound is below the margin.",
    }
    level = 1 - 2 * alpha
    estimate = process.sequence(values, level)
    return decided_by(process, estimate, level, for_, against, alpha, reasons)


def sequential_numeric(
    values: np.ndarray,
    *,
    process: Process,
    number: float,
    tolerance: float = 0.25,
    log: bool = False,
    alpha: float = 0.05,
) -> Verdict:
    """Decides "it is v" as the fixed rule of that name does."""
    if early := early_verdict([values], alpha):
        return early
    low, high = zone(number, tolerance, log=log)
    inside = [(low, "greater"), (high, "less")]
    outside = [(low, "less"), (high, "greater")]
    for_ = all_true([one(process.log_e(values, null=n, side=s), 2) for n, s in inside])
    against = any_true([process.log_e(values, null=n, side=s) for n, s in outside])
    estimate = process.sequence(values, 1 - alpha)
    if log:
        mean, lower, upper = map(ratio_of, estimate[:3])
        estimate = Estimate(mean, lower, upper, estimate.n)
    reasons: dict[Word, str] = {
        "supported": "The confidence sequence lies within the tolerance of the stated number.",
        "contradicted": "It is shown to be outside the tolerance of the stated number.",
    }
    return decided_by(process, estimate, 1 - alpha, for_, against, alpha, reasons)
