"""How the page writes numbers; what is missing is a dash."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

import pandas as pd
from markupsafe import Markup, escape

from analysis.report.answer import signed


def percent(value: float, digits: int = 2) -> str:
    """Returns a share as percent."""
    return "–" if _missing(value) else f"{100 * value:.{digits}f} %"


def points(value: float) -> str:
    """Returns a difference of shares in percentage points, with its sign."""
    return "–" if _missing(value) else signed(100 * value, 2)


def number(value: Any) -> str:
    """Returns a number in four digits, and text as it is."""
    if _missing(value):
        return "–"
    return f"{value:.4g}".replace("inf", "∞") if isinstance(value, float) else str(value)


def raw(value: Any) -> str:
    """Returns a number as the script sorts it; what is missing is empty."""
    return "" if _missing(value) else repr(float(value))


def _missing(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))


def as_texts(values: Mapping[str, Any]) -> dict[str, str]:
    """Returns values as text, nested ones as JSON."""
    return {
        str(name): value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in values.items()
    }


def coded(text: str) -> Markup:
    """Returns a sentence whose commands, in backquotes, are shown as such; all else is escaped."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))


FILTERS = {"percent": percent, "points": points, "number": number, "raw": raw, "coded": coded}
"""Name in a template -> function."""
