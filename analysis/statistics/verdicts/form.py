"""The forms of claims: what is said, how it is decided, and all that differs between them.

A new form is a rule and a row of ``FORMS``: the claims file, its checks, the verdicts, their units
and the table of power loop over these rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from analysis.statistics.verdicts.pair_rules import matters_more, no_worse, numeric, superiority
from analysis.statistics.verdicts.power import (
    equivalence_power,
    non_inferiority_power,
    superiority_power,
)
from analysis.statistics.verdicts.sequential import pair_rules as looking
from analysis.statistics.verdicts.sequential import sweep_rules as looking_at_rows
from analysis.statistics.verdicts.sweep_rules import best_value, existence, robust, sensitive, trend
from analysis.statistics.verdicts.verdict import Verdict


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What a claim fixes before the data are seen, in the unit of the values.

    Where the values are logarithms of ratios, margins are too; number and tolerance never are.
    """

    margin: float
    """Largest difference that counts as none, > 0."""
    smallest: float
    """Smallest difference of interest, > 0."""
    number: float | None = None
    """What the source states."""
    tolerance: float = 0.25
    """Share of the number that still agrees with it, in (0, 1)."""
    is_log: bool = False
    """Whether the values are natural logarithms of ratios."""
    is_in_unit_of_margin: bool = True
    """Whether values and margin share a unit; a column that is no accuracy has one of its own."""
    value: int = 0
    """Column that is claimed to be best."""
    rivals: tuple[int, ...] = ()
    """Columns that it is claimed to beat; none for all others."""


@dataclass(frozen=True, kw_only=True)
class Form:
    """One kind of claim."""

    says: str
    """The claim in its shortest words."""
    asks: str = ""
    """What must be shown of the number or row, a format of the words that the page of
    claims fills in: ``{more}``, ``{null}`` and the like; empty: as ``says``."""
    rule: Callable[..., Verdict]
    """Decides: takes the array, its options, ``alpha``, and ``rng`` unless it takes a number."""
    takes: Literal["number", "row", "either", "indices"]
    """Of each replicate one number, a row of numbers, or either; or importances of factors."""
    fewest: int = 1
    """Columns that a row must have."""
    factors: int = 0
    """Hyperparameters whose importances it reads where it is asked of them; 0 for none."""
    states: Literal["", "number", "value"] = ""
    """What a claim names besides margins: the source's number, or the value that is best."""
    needs_whole_rows: bool = True
    """Whether a replicate that lacks a column does not count."""
    one_sided: bool = False
    """Whether larger values can only speak for it, so that a bound on one side still decides."""
    shows: Literal["difference", "size", "number", "rank correlation"]
    """The estimate: a difference in the claim's direction; a size, which has none unless it is one
    difference or of two values; a number, of which the rule has undone logarithms; or a rank
    correlation, which numbers that are only bounds do not mislead: what is later than all others
    has the last rank, and ties show no trend."""
    options: Callable[[Terms], dict[str, Any]]
    """Options of the rule."""
    sequential: Callable[..., Verdict] | None = None
    """Decides after each replicate: takes the array, its options, ``process`` and ``alpha``; None
    where a study of more replicates cannot be stopped when it is decided."""
    power: Callable[..., float]
    """Probability that it is supported where it is true: of terms, ``sd``, ``n`` and ``alpha``."""


def _margin(terms: Terms) -> dict[str, Any]:
    return {"margin": terms.margin}


def _smallest(terms: Terms) -> dict[str, Any]:
    return {"smallest": terms.smallest}


def _stated(terms: Terms) -> dict[str, Any]:
    return {"number": terms.number, "tolerance": terms.tolerance, "log": terms.is_log}


def _named(terms: Terms) -> dict[str, Any]:
    return {"value": terms.value, "rivals": terms.rivals or None}


def _ranked(terms: Terms) -> dict[str, Any]:
    return _margin(terms) if terms.is_in_unit_of_margin else {}


def _finds(terms: Terms, **plan: Any) -> float:
    return superiority_power(difference=terms.margin, **plan)


def _matches(terms: Terms, **plan: Any) -> float:
    return non_inferiority_power(margin=terms.margin, **plan)


def _equals(terms: Terms, **plan: Any) -> float:
    return equivalence_power(margin=terms.margin, **plan)


def _agrees(terms: Terms, *, alpha: float, **plan: Any) -> float:
    number = 1.0 if terms.is_log else abs(terms.number or math.nan)
    width = math.log1p(terms.tolerance) if terms.is_log else terms.tolerance
    return equivalence_power(margin=width * number, alpha=alpha / 2, **plan)


FORMS: dict[str, Form] = {
    "superiority": Form(
        says="A is better than B",
        asks="is {more} {null}, by {smallest} or more",
        rule=superiority,
        sequential=looking.sequential_superiority,
        takes="number",
        one_sided=True,
        shows="difference",
        options=_smallest,
        power=_finds,
    ),
    "no_worse": Form(
        says="A matches B",
        asks="is not {less} {null} by {margin} or more",
        rule=no_worse,
        sequential=looking.sequential_no_worse,
        takes="number",
        one_sided=True,
        shows="difference",
        options=_margin,
        power=_matches,
    ),
    "robust": Form(
        says="robust to X over a range",
        asks="{alike} within {margin}",
        rule=robust,
        sequential=looking_at_rows.sequential_robust,
        takes="either",
        shows="size",
        options=_margin,
        power=_equals,
    ),
    "sensitive": Form(
        says="sensitive to X over a range",
        asks="{apart} by more than {margin}",
        rule=sensitive,
        sequential=looking_at_rows.sequential_sensitive,
        takes="either",
        factors=1,
        shows="size",
        options=_margin,
        power=_finds,
    ),
    "best_value": Form(
        says="the best value of X is v",
        asks="is {most} with {value}{rivals}",
        rule=best_value,
        sequential=looking_at_rows.sequential_best_value,
        takes="row",
        fewest=2,
        states="value",
        shows="size",
        options=_named,
        power=_finds,
    ),
    "matters_more": Form(
        says="X matters more than Y",
        asks="is larger for the first",
        rule=matters_more,
        takes="indices",
        factors=2,
        shows="difference",
        options=lambda terms: {},
        power=lambda terms, **plan: math.nan,
    ),
    "numeric": Form(
        says="it is v",
        asks="it is {number}, give or take {tolerance} %",
        rule=numeric,
        sequential=looking.sequential_numeric,
        takes="number",
        states="number",
        shows="number",
        options=_stated,
        power=_agrees,
    ),
    "existence": Form(
        says="there are tickets at a density or below",
        asks="is not {less} {null} by {margin} or more at one of them",
        rule=existence,
        sequential=looking_at_rows.sequential_existence,
        takes="row",
        needs_whole_rows=False,
        one_sided=True,
        shows="difference",
        options=_margin,
        power=_matches,
    ),
    "interaction": Form(
        says="A helps more here than there",
        asks="is {more} {null}, by {smallest} or more",
        rule=superiority,
        sequential=looking.sequential_superiority,
        takes="number",
        one_sided=True,
        shows="difference",
        options=_smallest,
        power=_finds,
    ),
    "trend": Form(
        says="it rises with X",
        asks="{trend} in this order",
        rule=trend,
        sequential=looking_at_rows.sequential_trend,
        takes="row",
        fewest=3,
        shows="rank correlation",
        options=_ranked,
        power=_finds,
    ),
}
"""Name in a claims file -> form."""
