"""The decision rules by form of claim: what a claim file names is looked up here."""

from __future__ import annotations

from collections.abc import Callable

from analysis.statistics.verdicts.pair_rules import (
    influential,
    interaction,
    matters_more,
    no_worse,
    numeric,
    superiority,
)
from analysis.statistics.verdicts.sweep_rules import best_value, existence, robust, sensitive, trend
from analysis.statistics.verdicts.verdict import Form, Verdict, adjusted, not_tested

RULES: dict[Form, Callable[..., Verdict]] = {
    "superiority": superiority,
    "no_worse": no_worse,
    "robust": robust,
    "sensitive": sensitive,
    "best_value": best_value,
    "matters_more": matters_more,
    "numeric": numeric,
    "existence": existence,
    "interaction": interaction,
    "trend": trend,
}
"""Form of claim -> rule; the first argument is the array, the others are keywords."""

__all__ = [
    "RULES",
    "Form",
    "Verdict",
    "adjusted",
    "best_value",
    "existence",
    "influential",
    "interaction",
    "matters_more",
    "no_worse",
    "not_tested",
    "numeric",
    "robust",
    "sensitive",
    "superiority",
    "trend",
]
