"""A verdict's numbers as people read them: shares of examples in percentage points."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

VERDICT_UNITS = {"share": ("points", 100.0)}
"""Unit of a verdict -> its name for people, and what its numbers are multiplied by."""
DASH = "–"


def estimate_text(row: Mapping[Any, Any]) -> str:
    """Returns estimate, interval and unit of a row of ``verdicts``; a dash if there is none.

    Of values that do not differ there is an estimate and no interval.
    """
    name, factor = VERDICT_UNITS.get(str(row["unit"]), (str(row["unit"]), 1.0))
    estimate, low, high = (factor * float(row[column]) for column in ("estimate", "low", "high"))
    if not math.isfinite(estimate):
        return DASH
    if math.isnan(low):
        return f"{_number(estimate)} {name}, no interval"
    return f"{_number(estimate)} [{_number(low)}, {_number(high)}] {name}"


def p_text(row: Mapping[Any, Any]) -> str:
    """Returns the p of the verdict that is given, which of a contradiction is the contradiction's.

    It says which; a dash if there is none.
    """
    p = float(row["p_given"])
    if math.isnan(p):
        return DASH
    return f"{p:.2g} against" if row["verdict"] == "contradicted" else f"{p:.2g}"


def _number(value: float) -> str:
    return {math.inf: "∞", -math.inf: "-∞"}.get(value, f"{value:.3g}")
