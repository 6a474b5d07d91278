"""What a question about importance is told: of draws, or of intervals that a study kept."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from analysis.claims.file.question import Question
from analysis.claims.networks.recorded import MissingError
from analysis.importance.result import Importance
from analysis.statistics.intervals import Estimate
from analysis.statistics.verdicts.form import FORMS
from analysis.statistics.verdicts.pair_rules import influential
from analysis.statistics.verdicts.verdict import Verdict, Word, decided


@dataclass(frozen=True, kw_only=True)
class Kept:
    """Indices as a study keeps them: with intervals, without the draws behind them."""

    table: pd.DataFrame
    """A row for each density and factor: ``Importance.table`` with a column ``density``."""
    strip: pd.DataFrame
    """A row for each density, with ``status``, ``reason`` and ``trajectories``."""


KeptImportances = Mapping[str, Importance | Kept | str]
"""Column that the response was read of -> its indices: with draws, or as a study kept them; a text
says why those that it kept are not read."""
SAME_ON_GRID = 0.02
"""Relative difference below which two densities are one: those of a grid are a fifth apart."""
WIDE = float(-special.ndtri(0.025))
"""Standard deviations from the middle of a 95 % interval to its end."""
SHARE = 0.1
"""Total index that matters, as in ``influential``."""


def judged_by_importance(importances: KeptImportances, question: Question, alpha: float) -> Verdict:
    """Returns the verdict on a question about importance.

    Without draws both factors' errors are taken to add up, the worst that they can do: shares of
    one variance err in opposite directions.

    Raises:
        MissingError: if there are no indices of its response, density or factors.
    """
    found = importances.get(question.reads)
    if found is None:
        raise MissingError("No importances were estimated.")
    if isinstance(found, str):
        raise MissingError(found)
    if isinstance(found, Kept):
        return _by_intervals(found, question, alpha)
    if found.status != "ok":
        raise MissingError(found.reason)
    _require(question, found.total.columns)
    draws = [found.total[path].to_numpy(float) for path in question.factors]
    if len(draws) == 2:
        rule = FORMS[question.form].rule
        return rule(draws[0] - draws[1], n=found.trajectories, alpha=alpha)
    table = found.table.set_index("factor")
    floor = float(table["floor"].astype(float)[question.factors[0]])
    return influential(draws[0], floor=floor, n=found.trajectories, share=SHARE, alpha=alpha)


def _by_intervals(found: Kept, question: Question, alpha: float) -> Verdict:
    strip = _at(found.strip, question)
    if strip.empty:
        raise MissingError("No importances were estimated at its density.")
    row = strip.iloc[0]
    if row["status"] != "ok":
        raise MissingError(str(row["reason"]))
    table = _at(found.table, question).set_index("factor")
    _require(question, table.index)
    total, low, high, floor = (
        table.loc[list(question.factors), name].to_numpy(float)
        for name in ("total", "total_low", "total_high", "floor")
    )
    down, up = (total - low) / WIDE, (high - total) / WIDE
    compares = len(question.factors) == 2
    if compares:
        lead, below, above = total[0] - total[1], down[0] + up[1], up[0] + down[1]
        against = _p(-lead, above)
    else:
        least = max(SHARE, floor[0])
        lead, below, above, against = total[0] - least, down[0], up[0], 1.0
    reasons: dict[Word, str] = {
        "supported": "The interval that the study kept lies above what it is compared with.",
        "contradicted": "The interval of the difference lies below 0.",
    }
    shown = lead if compares else total[0]
    wide = float(-special.ndtri(alpha / 2))
    n = int(row["trajectories"])
    estimate = Estimate(float(shown), float(shown - wide * below), float(shown + wide * above), n)
    p = _p(lead, below)
    return decided(estimate, 1 - alpha, p, against, alpha, reasons)


def _p(lead: float, deviation: float) -> float:
    """Returns the p of a lead above 0, two-sided as that of draws."""
    if not deviation > 0:
        return math.nan
    return float(min(1.0, 2 * special.ndtr(-lead / deviation)))


def _at(table: pd.DataFrame, question: Question) -> pd.DataFrame:
    density = question.densities[0] if question.densities else 1.0
    near = np.isclose(table["density"].to_numpy(float), density, rtol=SAME_ON_GRID, atol=0)
    return table[near]


def _require(question: Question, known: pd.Index) -> None:
    missing = [path for path in question.factors if path not in known]
    if missing:
        raise MissingError(f"The design did not vary {', '.join(missing)}.")
