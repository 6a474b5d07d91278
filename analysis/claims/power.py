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
from analysis.claims.terms import terms
from analysis.statistics.verdicts.form import FORMS

ENOUGH = 0.8
"""Power below which a claim probably ends inconclusive."""
WEAK = f"power below {ENOUGH:g}: probably inconclusive"
POWER_COLUMNS = ["claim", "form", "family", "role", "n", "power", "power_holm", "warning"]


def power_table(
    registry: Registry, *, sd: float, sd_log: float = 0.2, n: int | None = None
) -> pd.DataFrame:
    """Returns a row for each claim that has questions: its power, alone and in its family.

    Args:
        registry: the claims.
        sd: standard deviation over replicates of a paired difference of accuracies, as a share.
        sd_log: the same of a logarithm of steps or densities.
        n: replicates; None is what each claim plans.

    ``power_holm`` is at the level of Holm's first step, for confirmatory claims. NaN where there is
    no formula: a question about another column than an accuracy, or an index.

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
        plain = _power(claim, count, claim.alpha, sd, sd_log)
        holm = _power(claim, count, claim.alpha / size, sd, sd_log)
        rows.append(
            {
                "claim": claim.id,
                "form": claim.form,
                "family": claim.family,
                "role": claim.role,
                "n": count,
                "power": plain,
                "power_holm": holm,
                "warning": WEAK if holm < ENOUGH else "",
            }
        )
    return pd.DataFrame(rows, columns=pd.Index(POWER_COLUMNS))


def _power(claim: Claim, n: int, alpha: float, sd: float, sd_log: float) -> float:
    found = [question_power(one, n=n, alpha=alpha, sd=sd, sd_log=sd_log) for one in claim.questions]
    known = [power for power in found if not math.isnan(power)]
    return min(known) if known else math.nan


def question_power(question: Question, *, n: int, alpha: float, sd: float, sd_log: float) -> float:
    """Returns the power of one part of a question, NaN where there is no formula."""
    is_accuracy = question.measure != "importance" and question.reads.endswith("accuracy")
    if not (is_accuracy or question.is_ratio):
        return math.nan
    spread = sd_log if question.is_ratio else sd
    return FORMS[question.form].power(terms(question), sd=spread, n=n, alpha=alpha)
