"""The decision rules for claims about several values of a hyperparameter, or several densities.

The numbers have a row per replicate and a column per value. Replicates that lack a value are left
out and counted: what is not paired is not compared. The questions are those of
``pair_rules``.

How far many values lie apart has no sign; of two, the estimate is the first less the second. One
number per replicate is a difference already, from none.

Shape suffixes: R replicates, V values of a hyperparameter, L densities.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from analysis.statistics.bands import simultaneous_band
from analysis.statistics.best import best_set
from analysis.statistics.intervals import Estimate, is_noisy, mean_interval, present, t_test
from analysis.statistics.span import Span, span
from analysis.statistics.trend import page_trend
from analysis.statistics.verdicts.verdict import (
    FEW,
    Verdict,
    Word,
    decided,
    not_tested,
    noting,
    undecidable,
)


def robust(
    values: np.ndarray,
    *,
    margin: float,
    alpha: float = 0.05,
    rng: np.random.Generator | None = None,
) -> Verdict:
    """Decides "robust to X over a range": a column for each value of X, or one difference.

    Supported if all pairs of values are equivalent, without correction (intersection-union), so
    that the whole span is within the margin. Contradicted if, simultaneously, the interval of some
    pair's difference lies outside the margin.
    """
    early, found = _spanned(values, margin, alpha, rng)
    if early or not found:
        return early or not_tested(FEW, alpha=alpha)
    reasons: dict[Word, str] = {
        "supported": "All values are shown to lie within the margin of each other.",
        "contradicted": "Some value is shown to lie beyond the margin.",
    }
    estimate = _apart(values, found, alpha)
    verdict = decided(estimate, 1 - alpha, found.p_within, found.p_beyond, alpha, reasons)
    return noting(verdict, found.dropped)


def sensitive(
    values: np.ndarray,
    *,
    margin: float,
    alpha: float = 0.05,
    rng: np.random.Generator | None = None,
) -> Verdict:
    """Decides "sensitive to X over a range": a column for each value of X, or one difference.

    Supported if two values differ by more than the margin under the simultaneous band of all
    pairs; contradicted if it is ``robust``.
    """
    early, found = _spanned(values, margin, alpha, rng)
    if early or not found:
        return early or not_tested(FEW, alpha=alpha)
    reasons: dict[Word, str] = {
        "supported": "Two values are shown to differ by more than the margin.",
        "contradicted": "All values are shown to lie within the margin of each other.",
    }
    estimate = _apart(values, found, alpha)
    p, against = found.p_beyond, found.p_within
    verdict = decided(estimate, 1 - alpha, p, against, alpha, reasons)
    return noting(verdict, found.dropped)


def others_of(value: int, count: int) -> list[int]:
    """Returns the other columns of so many."""
    return [i for i in range(count) if i != value]


def rivals_of(value: int, count: int, rivals: Sequence[int] | None) -> list[int]:
    """Returns the columns that a value is compared with, by default all others of so many.

    Raises:
        ValueError: if there is none, or the value is one of them.
    """
    named = others_of(value, count) if rivals is None else list(rivals)
    if not named or value in named:
        raise ValueError(f"rivals must be values other than {value}, got {named}")
    return named


def best_value(
    values: np.ndarray,
    *,
    value: int,
    rivals: Sequence[int] | None = None,
    alpha: float = 0.05,
    rng: np.random.Generator | None = None,
) -> Verdict:
    """Decides "the best value of X is v": a column for each value, more is better.

    Supported if the 95 % confidence set of the best value excludes the rivals, by default all other
    values, and v is better than each of them; contradicted if it excludes v. The estimate is v's
    mean lead over the best of the rivals.
    """
    x_RV = np.asarray(values, dtype=float)
    named = rivals_of(value, x_RV.shape[1], rivals)
    whole_RV = x_RV[~np.isnan(x_RV).any(axis=1)]
    leads = [whole_RV[:, value] - whole_RV[:, rival] for rival in named]
    if early := undecidable(leads, alpha):
        return early
    found = best_set(x_RV, alpha=alpha, rng=rng)
    beaten = [min(1.0, 2 * t_test(lead, side="greater")) for lead in leads]
    p = max([*found.p[named], *beaten])
    members = ", ".join(str(i) for i in np.flatnonzero(found.included))
    reasons: dict[Word, str] = {
        "supported": f"The confidence set of the best value ({members}) excludes the rivals.",
        "contradicted": f"The confidence set of the best value ({members}) excludes the claimed "
        "one.",
        "inconclusive": f"The confidence set of the best value ({members}) holds the claimed one "
        "and others.",
    }
    closest = min(leads, key=lambda lead: lead.mean())
    estimate, against = mean_interval(closest, 1 - alpha), float(found.p[value])
    verdict = decided(estimate, 1 - alpha, float(p), against, alpha, reasons)
    return noting(verdict, found.dropped)


def existence(
    values: np.ndarray,
    *,
    margin: float,
    alpha: float = 0.05,
    rng: np.random.Generator | None = None,
) -> Verdict:
    """Decides "there are tickets at density d or below": gains, a column for each such density.

    Supported if the gain is shown to be above ``-margin`` at one density, under the max-t band of
    all; contradicted if it is shown to be below at every one. The interval goes from the
    simultaneous lower bound at the density that is supported best, to the largest upper bound.
    """
    x_RL = np.asarray(values, dtype=float)
    columns = [column for column in x_RL.T if len(present(column)) > 1]
    noisy = [column for column in columns if is_noisy(present(column))]
    if early := undecidable(noisy or columns or list(x_RL.T), alpha):
        return early
    band = simultaneous_band(
        np.stack(noisy, axis=1), level=1 - alpha, side="greater", null=-margin, rng=rng
    )
    place = int(np.argmin(band.p))
    against = max(t_test(column, null=-margin, side="less") for column in noisy)
    if len(noisy) < len(columns):
        against = math.nan  # A density without noise is not shown to be below.
    high = max(mean_interval(column, 1 - 2 * alpha).most for column in columns)
    estimate = Estimate(float(band.mean[place]), float(band.low[place]), high, int(band.n[place]))
    reasons: dict[Word, str] = {
        "supported": "At one density at least the gain is shown to be above the margin.",
        "contradicted": "At every density the gain is shown to be below the margin.",
    }
    p = float(band.p[place])
    return decided(estimate, 1 - alpha, p, against, alpha, reasons)


def trend(
    values: np.ndarray,
    *,
    margin: float | None = None,
    alpha: float = 0.05,
    rng: np.random.Generator | None = None,
) -> Verdict:
    """Decides "it rises with X": a column for each value of X, in that order.

    Supported by Page's test; contradicted if it falls instead, or if the means are shown to lie
    within ``margin`` of each other. The estimate is the mean rank correlation within replicates,
    its interval of level 1 - 2 alpha the one that ``page_trend`` inverts.
    """
    x_RV = np.asarray(values, dtype=float)
    whole_RV = x_RV[~np.isnan(x_RV).any(axis=1)]
    if len(whole_RV) < 2:
        return not_tested(FEW, n=len(whole_RV), alpha=alpha)
    found = page_trend(whole_RV, level=1 - 2 * alpha, rng=rng)
    against, flat = found.p_falling, math.nan
    if margin is not None:
        flat = span(whole_RV, margin=margin, alpha=alpha, rng=rng).p_within
    reasons: dict[Word, str] = {
        "supported": "The ranks rise with the order that was claimed.",
        "contradicted": "The ranks fall where a rise was claimed."
        if not flat < against
        else "All means are shown to lie within the margin of each other.",
    }
    against = float(np.nanmin([against, flat]))
    verdict = decided(found.correlation, 1 - 2 * alpha, found.p, against, alpha, reasons)
    return noting(verdict, len(x_RV) - len(whole_RV))


def _spanned(
    values: np.ndarray,
    margin: float,
    alpha: float,
    rng: np.random.Generator | None,
) -> tuple[Verdict | None, Span | None]:
    x_RV = _columns(values)
    found = span(x_RV, margin=margin, alpha=alpha, rng=rng)
    if found.n < 2:
        empty = int(np.isnan(x_RV).all(axis=0).sum())
        reason = "Fewer than two replicates have every value."
        if empty:
            total = x_RV.shape[1]
            reason = f"{empty} of the {total} values lack a sound network in every replicate."
        return not_tested(reason, n=found.n, alpha=alpha), None
    return None, found


def _columns(values: np.ndarray) -> np.ndarray:
    x_RV = np.asarray(values, dtype=float)
    return np.stack([x_RV, np.zeros(len(x_RV))], axis=1) if x_RV.ndim == 1 else x_RV


def _apart(values: np.ndarray, found: Span, alpha: float) -> Estimate:
    """Returns the mean difference of two values with its interval, or the span of more."""
    x_RV = _columns(values)
    if x_RV.shape[1] > 2:
        return Estimate(found.span, found.low, found.high, found.n)
    return mean_interval(x_RV[:, 0] - x_RV[:, 1], 1 - alpha)
