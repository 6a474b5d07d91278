"""Power of the claims: which of them a number of replicates can decide at all.

Superiority is judged at a true difference of the margin, everything that shows sameness at none.
Several parts must all be shown: the power of the claim is taken as that of its weakest part, which
is the most it can be.
"""

from __future__ import annotations

import math
from collections import Counter

import pandas as pd

from analysis.claims.file.claim import Claim
from analysis.claims.file.question import Question
from analysis.claims.file.reader import Registry
from analysis.claims.pilot import Spreads
from analysis.claims.terms import terms
from analysis.statistics.verdicts.form import FORMS

ENOUGH = 0.8
"""Power below which a claim probably ends inconclusive."""
WEAK = f"power below {ENOUGH:g}: probably inconclusive"
MOST_REPLICATES = 1_000
"""Replicates above which nobody would train as many."""
POWERS = ["power", "power_holm", "needs", "spread", "warning"]
POWER_COLUMNS = ["claim", "form", "family", "role", "n", *POWERS]


def power_table(
    registry: Registry,
    *,
    sd: float,
    sd_log: float = 0.2,
    n: int | None = None,
    pilot: Spreads | None = None,
) -> pd.DataFrame:
    """Returns a row for each claim that has questions: its power, alone and in its family.

    Args:
        registry: the claims.
        sd: standard deviation over replicates of a paired difference of accuracies, as a share.
        sd_log: the same of a logarithm of steps or densities.
        n: replicates; None is what each claim plans.
        pilot: what ``pilot_spreads`` found; it counts before both deviations.

    ``power_holm`` is at the level of Holm's first step, for confirmatory claims. NaN where there is
    no formula: a question about another column than an accuracy, or an index. ``needs`` is the
    least number of replicates at which ``power_holm`` is ``ENOUGH``, missing where it is above
    ``MOST_REPLICATES`` or unknown; ``spread`` says whose deviations it is of, "pilot" if all
    are the pilot's.

    Raises:
        ValueError: if a deviation is not positive or n below 2.
    """
    sizes = Counter(claim.family for claim in registry.claims if claim.role == "confirmatory")
    rows = []
    for claim in registry.claims:
        if not claim.questions:
            continue
        count = n or claim.n
        size = sizes[claim.family] if claim.role == "confirmatory" else 1
        assumed = {(claim.id, one.name): sd_log if one.is_ratio else sd for one in claim.questions}
        known = {key: value for key, value in (pilot or {}).items() if key in assumed}
        spreads = {**assumed, **known}
        plain = _power(claim, count, claim.alpha, spreads)
        holm = _power(claim, count, claim.alpha / size, spreads)
        rows.append(
            {
                "claim": claim.id,
                "form": claim.form,
                "family": claim.family,
                "role": claim.role,
                "n": count,
                "power": plain,
                "power_holm": holm,
                "needs": _needs(claim, claim.alpha / size, spreads),
                "spread": "pilot" if len(known) == len(assumed) else "assumed",
                "warning": WEAK if holm < ENOUGH else "",
            }
        )
    table = pd.DataFrame(rows, columns=pd.Index(POWER_COLUMNS))
    return table.astype({"needs": "Int64"})


def _needs(claim: Claim, alpha: float, spreads: Spreads) -> int | None:
    """Returns the least n at which a claim's power is enough; power grows with n."""
    few, enough = 1, MOST_REPLICATES
    if not _power(claim, enough, alpha, spreads) >= ENOUGH:
        return None
    while enough - few > 1:
        half = (few + enough) // 2
        few, enough = (
            (few, half) if _power(claim, half, alpha, spreads) >= ENOUGH else (half, enough)
        )
    return enough


def _power(claim: Claim, n: int, alpha: float, spreads: Spreads) -> float:
    found = [
        question_power(one, n=n, alpha=alpha, sd=spreads[claim.id, one.name])
        for one in claim.questions
    ]
    known = [power for power in found if not math.isnan(power)]
    return min(known) if known else math.nan


def question_power(question: Question, *, n: int, alpha: float, sd: float) -> float:
    """Returns the power of one part of a question, NaN where there is no formula.

    ``sd`` is in the unit of its numbers: of a ratio, of logarithms.
    """
    is_accuracy = question.measure != "importance" and question.reads.endswith("accuracy")
    if not (is_accuracy or question.is_ratio):
        return math.nan
    return FORMS[question.form].power(terms(question), sd=sd, n=n, alpha=alpha)
