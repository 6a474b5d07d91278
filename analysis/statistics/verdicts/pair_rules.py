"""The decision rules for claims about one number per replicate, fixed before the data are seen.

The number is paired before: a difference, a log ratio, a contrast. Margins share its unit. Every
rule asks two opposite questions; a claim is supported if the test of it rejects, contradicted if
the test of its contradiction does, and otherwise inconclusive: with few or noisy replicates every
rule ends there.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from analysis.statistics.intervals import Estimate, mean_interval, present, t_test
from analysis.statistics.ratios import ratio_interval, zone
from analysis.statistics.verdicts.verdict import (
    UNTESTED,
    Values,
    Verdict,
    Word,
    decided,
    not_tested,
    undecidable,
)


def superiority(values: Values, *, smallest: float = 0.0, alpha: float = 0.05) -> Verdict:
    """Decides "A is better than B", from paired differences A - B.

    "A helps more here than there" is decided so too, from differences of differences.

    Supported if the interval of level 1 - alpha lies above 0 and the mean reaches ``smallest``, the
    smallest difference that matters, >= 0; "supported, smaller" if only the first. Contradicted if
    it lies below 0, or if the difference is shown to be within (-smallest, smallest). The bound of
    that equivalence is ``smallest`` and no wider margin, which would contradict true differences
    between the two.
    """
    if early := undecidable([values], alpha):
        return early
    estimate = mean_interval(values, 1 - alpha)
    p = min(1.0, 2 * t_test(values, side="greater"))
    against = min(1.0, 2 * t_test(values, side="less"))
    reasons: dict[Word, str] = {
        "supported": "The interval lies above 0 and the mean reaches the smallest difference that "
        "matters.",
        "contradicted": "The interval lies below 0.",
    }
    if smallest > 0:
        none = max(
            t_test(values, null=smallest, side="less"),
            t_test(values, null=-smallest, side="greater"),
        )
        if p > alpha and none < against:
            reasons["contradicted"] = (
                "The difference is shown to be smaller than the smallest that matters."
            )
        against = min(against, none)
    verdict = decided(estimate, 1 - alpha, p, against, alpha, reasons)
    if not verdict.is_supported or estimate.mean >= smallest:
        return verdict
    whole = "whole interval" if estimate.high < smallest else "mean"
    reason = f"The interval lies above 0, but the {whole} is below the smallest that matters."
    return replace(verdict, verdict="supported, smaller", reason=reason)


def no_worse(values: Values, *, margin: float, alpha: float = 0.05) -> Verdict:
    """Decides "A matches B" from paired differences A - B; more is better.

    Supported if the one-sided lower bound of level 1 - alpha is above ``-margin``, contradicted if
    the upper one is below. The interval shown has both bounds as its ends.
    """
    if early := undecidable([values], alpha):
        return early
    estimate = mean_interval(values, 1 - 2 * alpha)
    p = t_test(values, null=-margin, side="greater")
    against = t_test(values, null=-margin, side="less")
    reasons: dict[Word, str] = {
        "supported": "The lower bound is above the margin.",
        "contradicted": "The upper bound is below the margin.",
    }
    return decided(estimate, 1 - 2 * alpha, p, against, alpha, reasons)


def numeric(
    values: Values,
    *,
    number: float,
    tolerance: float = 0.25,
    log: bool = False,
    alpha: float = 0.05,
) -> Verdict:
    """Decides "it is v": whether the interval agrees with a stated number.

    Supported if it lies within a share ``tolerance`` of the number, contradicted if wholly outside.
    With ``log`` the values are natural logarithms of ratios, and the number is a ratio.

    Raises:
        ValueError: as ``zone``.
    """
    if early := undecidable([values], alpha):
        return early
    low, high = zone(number, tolerance, log=log)
    estimate = mean_interval(values, 1 - alpha)
    above, below = (
        2 * t_test(values, null=low, side="greater"),
        2 * t_test(values, null=high, side="less"),
    )
    outside = 2 * min(
        t_test(values, null=low, side="less"), t_test(values, null=high, side="greater")
    )
    if log:
        estimate = ratio_interval(values, 1 - alpha)
    reasons: dict[Word, str] = {
        "supported": "The interval lies within the tolerance of the stated number.",
        "contradicted": "The interval lies wholly outside the tolerance of the stated number.",
    }
    p, against = min(1.0, max(above, below)), min(1.0, outside)
    return decided(estimate, 1 - alpha, p, against, alpha, reasons)


def matters_more(draws: Values, *, n: int, alpha: float = 0.05) -> Verdict:
    """Decides "X matters more than Y" from draws of the difference of their indices.

    The draws are posterior or bootstrap ones over trajectories, of which there are ``n``. Supported
    if their central interval of level 1 - alpha lies above 0, contradicted if below.
    """
    x = present(draws)
    if len(x) < 2 / alpha:
        return not_tested("There are too few draws for an interval.", n=n, alpha=alpha)
    low, high = np.quantile(x, [alpha / 2, 1 - alpha / 2])
    p = min(1.0, 2 * (1 + int((x <= 0).sum())) / (1 + len(x)))
    against = min(1.0, 2 * (1 + int((x >= 0).sum())) / (1 + len(x)))
    reasons: dict[Word, str] = {
        "supported": "The interval of the difference lies above 0.",
        "contradicted": "The interval of the difference lies below 0.",
    }
    estimate = Estimate(float(x.mean()), float(low), float(high), n)
    return decided(estimate, 1 - alpha, p, against, alpha, reasons)


def influential(
    draws: Values, *, floor: float, n: int, share: float = 0.1, alpha: float = 0.05
) -> Verdict:
    """Decides "sensitive to X" from draws of X's total index, for which no single sweep speaks.

    Supported if the draws' central interval of level 1 - alpha lies above both ``share`` and
    ``floor``, what an inert factor reaches by chance. A small index contradicts nothing: that takes
    ``robust``.
    """
    x = present(draws)
    found = matters_more(x - max(floor, share), n=n, alpha=alpha)
    if found.verdict == UNTESTED:
        return found
    low, high = np.quantile(x, [alpha / 2, 1 - alpha / 2])
    reasons: dict[Word, str] = {
        "supported": "The interval of the index lies above the share that matters and the floor.",
    }
    estimate = Estimate(float(x.mean()), float(low), float(high), n)
    return decided(estimate, 1 - alpha, found.p, 1.0, alpha, reasons)
