"""The sequential rules for claims about several values or densities: what ``sweep_rules`` asks.

Shape suffixes: R replicates, V values of a hyperparameter.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations, permutations

import numpy as np
import scipy

from analysis.statistics.intervals import Estimate, is_noisy, present
from analysis.statistics.sequential.looks import FIRST_LOOK
from analysis.statistics.sequential.process import PROCESSES, Process
from analysis.statistics.verdicts.sequential.evidence import (
    SequentialEvidence,
    all_true,
    any_true,
    decided_by,
    early_verdict,
    one,
    too_few,
    two_sided,
    within,
)
from analysis.statistics.verdicts.sweep_rules import others_of, rivals_of
from analysis.statistics.verdicts.verdict import Verdict, Word, noting


def sequential_robust(
    values: np.ndarray, *, process: Process, margin: float, alpha: float = 0.05
) -> Verdict:
    """Decides "robust to X over a range" as the fixed rule of that name does."""
    reasons: dict[Word, str] = {
        "supported": "All values are shown to lie within the margin of each other.",
        "contradicted": "Some value is shown to lie beyond the margin.",
    }
    return _over_a_range(values, process, margin, alpha, reasons, is_claimed_inside=True)


def sequential_sensitive(
    values: np.ndarray, *, process: Process, margin: float, alpha: float = 0.05
) -> Verdict:
    """Decides "sensitive to X over a range" as the fixed rule of that name does."""
    reasons: dict[Word, str] = {
        "supported": "Two values are shown to differ by more than the margin.",
        "contradicted": "All values are shown to lie within the margin of each other.",
    }
    return _over_a_range(values, process, margin, alpha, reasons, is_claimed_inside=False)


def _over_a_range(
    values: np.ndarray,
    process: Process,
    margin: float,
    alpha: float,
    reasons: dict[Word, str],
    *,
    is_claimed_inside: bool,
) -> Verdict:
    x_RV, dropped = _whole(values)
    if early := early_verdict(_gaps(x_RV), alpha):
        return early
    inside, beyond = _spanned(process, x_RV, margin)
    for_, against = (inside, beyond) if is_claimed_inside else (beyond, inside)
    estimate = _apart(process, x_RV, alpha)
    found = decided_by(process, estimate, 1 - alpha, for_, against, alpha, reasons)
    return noting(found, dropped)


def sequential_best_value(
    values: np.ndarray,
    *,
    process: Process,
    value: int,
    rivals: Sequence[int] | None = None,
    alpha: float = 0.05,
) -> Verdict:
    """Decides "the best value of X is v".

    Supported if v is shown to be better than each of the rivals, by default all other values;
    contradicted if some other value is shown to be better than v.
    """
    x_RV, dropped = _whole(values)
    others, named = others_of(value, x_RV.shape[1]), rivals_of(value, x_RV.shape[1], rivals)
    leads = {i: x_RV[:, value] - x_RV[:, i] for i in others}
    if early := early_verdict(list(leads.values()), alpha):
        return early
    for_ = all_true([two_sided(process, leads[i], "greater") for i in named])
    better = any_true([process.log_e(lead, side="less") for lead in leads.values()])
    reasons: dict[Word, str] = {
        "supported": "It is shown to be better than each of its rivals.",
        "contradicted": "Another value is shown to be better.",
        "inconclusive": "It is not shown to be better than each of its rivals, nor another than "
        "it.",
    }
    closest = min((leads[i] for i in named), key=lambda lead: lead.mean())
    estimate = process.sequence(closest, 1 - alpha)
    found = decided_by(process, estimate, 1 - alpha, for_, better, alpha, reasons)
    return noting(found, dropped)


def sequential_existence(
    values: np.ndarray, *, process: Process, margin: float, alpha: float = 0.05
) -> Verdict:
    """Decides "there are tickets at density d or below": gains, a column for each such density.

    Supported if the gain is shown to be above ``-margin`` at one of them, with Bonferroni's p;
    contradicted if it is shown to be below at every one. The interval goes from the lower bound of
    the density with the largest one, at Bonferroni's level, to the largest upper bound.
    """
    columns = list(np.asarray(values, dtype=float).T)
    known = [x for x in columns if len(present(x)) >= FIRST_LOOK]
    noisy = [x for x in known if is_noisy(present(x))]
    if early := early_verdict(noisy or known or columns, alpha):
        return early
    # All of them, so that one whose first look comes later takes nothing back.
    for_ = any_true([process.log_e(x, null=-margin, side="greater") for x in columns])
    below = all_true([one(process.log_e(x, null=-margin, side="less")) for x in noisy])
    if len(noisy) < len(columns):
        # A density that cannot be judged is not shown to be below.
        below = SequentialEvidence(1.0, 0.0)
    lower = [process.sequence(x, 1 - 2 * alpha / len(columns)) for x in noisy]
    best = max(lower, key=lambda one: -math.inf if math.isnan(one.low) else one.low)
    high = max(process.sequence(x, 1 - 2 * alpha).high for x in noisy)
    estimate = Estimate(best.mean, best.low, high, best.n)
    reasons: dict[Word, str] = {
        "supported": "At one density at least the gain is shown to be above the margin.",
        "contradicted": "At every density the gain is shown to be below the margin.",
    }
    return decided_by(process, estimate, 1 - alpha, for_, below, alpha, reasons)


def sequential_trend(
    values: np.ndarray,
    *,
    process: Process,
    margin: float | None = None,
    alpha: float = 0.05,
) -> Verdict:
    """Decides "it rises with X": a column for each value of X, in that order.

    By the signs of the replicates' rank correlations with the order, which are symmetric where the
    columns are exchangeable. Contradicted if they fall instead, or if the columns are shown to lie
    within ``margin`` of each other.
    """
    x_RV, dropped = _whole(values)
    if len(x_RV) < FIRST_LOOK:
        return too_few(len(x_RV), alpha)
    rank_RV = scipy.stats.rankdata(x_RV, axis=1)
    order_V = np.arange(1, x_RV.shape[1] + 1) - (x_RV.shape[1] + 1) / 2
    correlation_R = rank_RV @ order_V / (order_V @ order_V)
    signs = PROCESSES["sign"]
    # Where the columns are exchangeable a correlation of 0 speaks for neither side.
    signed_R = np.where(correlation_R == 0, np.nan, correlation_R)
    for_ = one(signs.log_e(signed_R, side="greater"))
    against = one(signs.log_e(signed_R, side="less"))
    reasons: dict[Word, str] = {
        "supported": "The ranks rise with the order that was claimed.",
        "contradicted": "The ranks fall where a rise was claimed.",
    }
    if margin is not None and all(is_noisy(gap) for gap in _gaps(x_RV)):
        flat, _ = _spanned(process, x_RV, margin)
        if flat.p < against.p:
            reasons["contradicted"] = "All means are shown to lie within the margin of each other."
        least = min(1.0, 2 * min(against.p, flat.p))
        against = SequentialEvidence(least, (against.e + flat.e) / 2)
    estimate = signs.sequence(correlation_R, 1 - 2 * alpha)
    ends = max(estimate.low, -1.0), min(estimate.high, 1.0)
    estimate = Estimate(estimate.mean, *ends, estimate.n)
    found = decided_by(signs, estimate, 1 - 2 * alpha, for_, against, alpha, reasons)
    return noting(found, dropped)


def _spanned(
    process: Process, columns: np.ndarray, margin: float
) -> tuple[SequentialEvidence, SequentialEvidence]:
    """Returns the evidence that all columns lie within the margin, and that two lie beyond."""
    inside = all_true([within(process, gap, margin) for gap in _gaps(columns)])
    pairs = permutations(range(columns.shape[1]), 2)
    paths = [
        process.log_e(columns[:, i] - columns[:, j], null=margin, side="greater") for i, j in pairs
    ]
    return inside, any_true(paths)


def _apart(process: Process, columns: np.ndarray, alpha: float) -> Estimate:
    """Returns the location of two columns' difference, or the span of more, with its ends."""
    gaps = _gaps(columns)
    if len(gaps) == 1:
        return process.sequence(gaps[0], 1 - alpha)
    found = [process.sequence(gap, 1 - alpha / len(gaps)) for gap in gaps]
    upper = [process.sequence(gap, 1 - 2 * alpha) for gap in gaps]
    low = max(0.0, *(max(one.low, -one.high) for one in found))
    high = max(max(one.high, -one.low) for one in upper)
    return Estimate(max(abs(one.mean) for one in found), low, high, len(columns))


def _gaps(columns: np.ndarray) -> list[np.ndarray]:
    return [columns[:, i] - columns[:, j] for i, j in combinations(range(columns.shape[1]), 2)]


def _whole(values: np.ndarray) -> tuple[np.ndarray, int]:
    """Returns the rows that lack nothing, and how many do; a lone difference is one from 0."""
    x_RV = np.asarray(values, dtype=float)
    if x_RV.ndim == 1:
        x_RV = np.stack([x_RV, np.zeros(len(x_RV))], axis=1)
    whole_RV = x_RV[~np.isnan(x_RV).any(axis=1)]
    return whole_RV, len(x_RV) - len(whole_RV)
