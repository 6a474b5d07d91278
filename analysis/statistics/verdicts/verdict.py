"""What a study says about a claim: one of five words, with the numbers behind it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

import numpy as np
import pandas as pd

from analysis.statistics.intervals import Estimate, is_noisy, mean_interval, present
from analysis.statistics.verdicts.multiplicity import holm

Values = Sequence[float] | np.ndarray | pd.Series
"""One number per replicate; NaN is missing."""

FEW = "Fewer than two replicates have a value."
STILL = "The replicates do not differ at all, so there is no noise to judge a difference by."
OPEN = "The interval leaves room for the claim and for its contradiction."

Word = Literal["supported", "supported, smaller", "contradicted", "inconclusive", "not tested"]

UNTESTED: Final = "not tested"
"""The word where there are no data, or not enough of them."""
JUDGED: tuple[Word, ...] = tuple(word for word in get_args(Word) if word != UNTESTED)
"""The words of what was tested, in the order in which they are told."""
SUPPORTED: tuple[Word, ...] = ("supported", "supported, smaller")
"""The words for a claim that holds."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The verdict on one claim.

    ``p`` and ``p_against`` are those of two tests with opposite questions. A word other than
    inconclusive needs one of them at alpha or below: absence of significance is never support.
    """

    verdict: Word
    """supported; supported, smaller: the direction holds, the size is below what matters;
    contradicted; inconclusive: the data allow both; not tested."""
    estimate: float
    """What was estimated, in the units of the values; NaN if nothing was."""
    low: float
    """Lower end of the interval."""
    high: float
    """Upper end of the interval."""
    level: float
    """Level of the interval, as .95."""
    n: int
    """Replicates behind it."""
    p: float
    """Raw p of the claim; comparable with alpha. NaN if not tested."""
    p_against: float
    """Raw p of its contradiction."""
    alpha: float
    """Level at which it was decided, before and after adjustment."""
    reason: str
    """Why, in one sentence."""
    p_adjusted: float = math.nan
    """``p`` adjusted over the claims of its family; NaN before ``adjusted`` was called."""
    p_against_adjusted: float = math.nan
    """``p_against`` adjusted over the family."""
    e: float = math.nan
    """e-value of the claim at the last replicate, >= 0; NaN where the number of them was fixed."""
    e_against: float = math.nan
    """e-value of its contradiction."""

    @property
    def is_sequential(self) -> bool:
        """Whether it may be asked for after each replicate: both p are anytime-valid."""
        return not math.isnan(self.e)

    @property
    def is_supported(self) -> bool:
        """Returns whether the claim holds, at least in direction."""
        return self.verdict in SUPPORTED


def not_tested(reason: str, *, n: int = 0, alpha: float = 0.05) -> Verdict:
    """Returns the verdict on a claim for which there are no data, or not enough of them."""
    nan = math.nan
    verdict = decided(Estimate(nan, nan, nan, n), 1 - alpha, nan, nan, alpha, {})
    return replace(verdict, verdict=UNTESTED, reason=reason)


def counted_in_family(verdict: Verdict) -> Verdict:
    """Returns a verdict that is not given yet as one that counts in its family.

    Of claims whose replicates are added the family is fixed before: those that are still too few
    count with a p of 1, or what is shown of others would weaken as they grow.
    """
    return replace(verdict, p=1.0, p_against=1.0, e=0.0, e_against=0.0)


def undecidable(columns: Sequence[Values], alpha: float) -> Verdict | None:
    """Returns the verdict if a column has too few values, or values that do not differ at all."""
    fewest = min(len(present(column)) for column in columns)
    if fewest < 2:
        return not_tested(FEW, n=fewest, alpha=alpha)
    for column in columns:
        if not is_noisy(present(column)):
            estimate = mean_interval(column, 1 - alpha)
            return decided(estimate, 1 - alpha, math.nan, math.nan, alpha, {})
    return None


def decided(
    estimate: Estimate,
    level: float,
    p: float,
    against: float,
    alpha: float,
    reasons: Mapping[Word, str],
) -> Verdict:
    """Returns the verdict that two p-values give; a p of NaN decides nothing."""
    word: Word = "inconclusive"
    if p <= alpha:
        word = "supported"
    elif against <= alpha:
        word = "contradicted"
    still = math.isnan(p) or math.isnan(against)
    reason = STILL if still and word == "inconclusive" else reasons.get(word, OPEN)
    return Verdict(
        verdict=word,
        estimate=estimate.mean,
        low=estimate.low,
        high=estimate.high,
        level=level,
        n=estimate.n,
        p=p,
        p_against=against,
        alpha=alpha,
        reason=reason,
    )


def noting(verdict: Verdict, dropped: int) -> Verdict:
    """Returns the verdict with a note of how many incomplete replicates were left out."""
    if not dropped:
        return verdict
    count = "1 incomplete replicate is" if dropped == 1 else f"{dropped} incomplete replicates are"
    return replace(verdict, reason=f"{verdict.reason} {count} left out.")


def adjusted(
    verdicts: Sequence[Verdict], correction: Callable[[list[float]], np.ndarray] = holm
) -> list[Verdict]:
    """Returns the verdicts of one family with a correction over it, by default Holm's.

    Supports and contradictions are two families of tests, each corrected over all claims that were
    tested. A verdict whose adjusted p fails becomes inconclusive and says so; none is strengthened.
    """
    supports = correction([verdict.p for verdict in verdicts])
    against = correction([verdict.p_against for verdict in verdicts])
    size = int((~np.isnan(supports)).sum())
    return [
        _weakened(replace(one, p_adjusted=float(p), p_against_adjusted=float(q)), size)
        for one, p, q in zip(verdicts, supports, against, strict=True)
    ]


def _weakened(one: Verdict, size: int) -> Verdict:
    failed = (one.is_supported and not one.p_adjusted <= one.alpha) or (
        one.verdict == "contradicted" and not one.p_against_adjusted <= one.alpha
    )
    if not failed:
        return one
    reason = (
        f"Alone it would be {one.verdict}, but not after the correction for the {size} claims "
        "judged with it."
    )
    return replace(one, verdict="inconclusive", reason=reason)
