"""The table of verdicts: corrected within families, one row for each claim and scale."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import pandas as pd

from analysis.claims.file.claim import Claim
from analysis.claims.file.question import Question
from analysis.claims.file.reader import Registry
from analysis.claims.networks.regime import Regime
from analysis.statistics.sequential.looks import p_of
from analysis.statistics.verdicts.form import FORMS
from analysis.statistics.verdicts.multiplicity import benjamini_hochberg
from analysis.statistics.verdicts.verdict import UNTESTED, Verdict, adjusted

VERDICT_COLUMNS = [
    "claim",
    "text",
    "form",
    "family",
    "role",
    "verdict",
    "estimate",
    "low",
    "high",
    "unit",
    "n",
    "p",
    "p_adjusted",
    "p_against",
    "p_against_adjusted",
    "p_given",
    "scale",
    "deviates",
    "part",
    "reason",
    "omits",
]
"""Columns of ``verdicts``. ``p_given`` is the adjusted p of the word that is given: of the
contradiction where it is "contradicted", else of the claim. ``deviates`` is a list, ``part`` names
the question that decided, ``omits`` says what of the claim none asks."""
DISCOVERY = 0.1
"""Share of false ones among exploratory findings that is put up with."""
COUNT_UNITS = {"ticket_density": "density", "ticket_weights": "weights"}
"""Measure -> its unit where it is compared with a number and not with another network's."""
SHARE_ENDINGS = ("accuracy", "_gap", "_error")
"""How columns end whose values are shares of examples."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A verdict and what it is about."""

    claim: Claim
    regime: Regime | None
    role: str
    part: str
    unit: str
    verdict: Verdict


def table(rows: list[Finding], registry: Registry) -> pd.DataFrame:
    """Returns the columns of ``VERDICT_COLUMNS`` of ``corrected`` findings."""
    plain = [_plain(row, registry) for row in rows]
    return pd.DataFrame(plain, columns=pd.Index(VERDICT_COLUMNS))


def unit(question: Question) -> str:
    """Returns the unit of a question's estimate."""
    shows = FORMS[question.form].shows
    if shows == "rank correlation":
        return shows
    if question.measure == "importance":
        return "share of variance"
    if question.is_ratio:
        return COUNT_UNITS.get(question.measure, "ratio") if shows == "number" else "ratio"
    return "share" if question.reads.endswith(SHARE_ENDINGS) else question.reads


def group_of(row: Finding) -> tuple[object, ...]:
    """Returns what the findings share that are corrected together; first whether by family."""
    group = row.regime.group if row.regime else ()
    if row.role == "confirmatory":
        return "family", row.claim.family, group
    return "exploratory", group


def corrected(rows: list[Finding]) -> list[Finding]:
    """Returns findings whose verdicts are corrected for how many there are.

    Confirmatory ones by Holm within their family, steps and dataset; exploratory ones by Benjamini
    and Hochberg over steps and dataset, those of a sequential rule by their e-values.
    """
    groups: dict[tuple[object, ...], list[int]] = {}
    for place, row in enumerate(rows):
        groups.setdefault(group_of(row), []).append(place)
    done = list(rows)
    for (kind, *_), places in groups.items():
        found = [rows[place].verdict for place in places]
        if kind == "exploratory":
            alphas = [one.alpha for one in found]
            found = [_by_e_value(one) for one in found]
            found = adjusted([replace(one, alpha=DISCOVERY) for one in found], benjamini_hochberg)
            found = [replace(one, alpha=a) for one, a in zip(found, alphas, strict=True)]
        else:
            found = adjusted(found)
        for place, verdict in zip(places, found, strict=True):
            done[place] = replace(rows[place], verdict=verdict)
    return done


def _by_e_value(one: Verdict) -> Verdict:
    """Returns the verdict with p as Benjamini and Hochberg's procedure takes it of e-values: 1 / e.

    That bounds the share of false findings under any dependence, where each claim is stopped by
    its own differences (Wang & Ramdas 2022, False discovery rate control with e-values); of the
    least p that any look gave it would not.
    """
    if not one.is_sequential:
        return one
    return replace(one, p=p_of(one.e), p_against=p_of(one.e_against))


def _plain(row: Finding, registry: Registry) -> dict[str, object]:
    one = row.verdict
    scale, deviates = "", []
    if row.regime is not None:
        setting = registry.settings[row.claim.setting]
        scale, deviates = row.regime.described(setting), row.regime.deviations(setting)
    numbers = ("estimate", "low", "high", "n", "p", "p_adjusted", "p_against", "p_against_adjusted")
    tested = one.verdict != UNTESTED
    return {
        "claim": row.claim.id,
        "text": row.claim.text,
        "form": row.claim.form,
        "family": row.claim.family,
        "role": row.role,
        "verdict": one.verdict,
        **{name: getattr(one, name) if tested or name == "n" else math.nan for name in numbers},
        "unit": row.unit,
        "p_given": one.p_against_adjusted if one.verdict == "contradicted" else one.p_adjusted,
        "scale": scale,
        "deviates": deviates,
        "part": row.part,
        "reason": one.reason,
        "omits": row.claim.omits,
    }
