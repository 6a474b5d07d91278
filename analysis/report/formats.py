"""How the page writes numbers; what is missing is a dash."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
from markupsafe import Markup, escape

EQUAL = "equal"
"""Stands in a table where the values of several replicates do not differ: they have no interval."""


def signed(value: float, digits: int) -> str:
    """Returns a difference as text, with its sign and a true minus; there is no negative zero."""
    return f"{value:+z,.{digits}f}".replace("-", "−")


def decimal(value: float, digits: int = 2) -> str:
    """Returns a number in so many decimals, with a true minus; there is no negative zero."""
    return "–" if _missing(value) else f"{value:z.{digits}f}".replace("-", "−")


def apart(low: float, high: float, digits: int = 2) -> tuple[int, float, float]:
    """Returns in how many decimals an interval is written so that its width is seen, and its ends.

    Where both ends would look alike it is in one more, and where they do even then they are rounded
    outwards: what looks as if it had no width would say that nothing is uncertain.
    """
    if not low < high:
        return digits, low, high
    for places in (digits, digits + 1):
        if decimal(low, places) != decimal(high, places):
            return places, low, high
    unit = 10**places
    return places, math.floor(low * unit) / unit, math.ceil(high * unit) / unit


def share(estimate: tuple[float, float, float]) -> tuple[str, str]:
    """Returns a share of variance as text, and its interval, empty if that has no width.

    Args:
        estimate: the share and both ends of its interval.
    """
    value, low, high = estimate
    places, least, most = apart(low, high)
    ends = f"[{decimal(least, places)}, {decimal(most, places)}]" if low < high else ""
    return decimal(value, places), ends


def percent(value: float, digits: int = 2) -> str:
    """Returns a share as percent."""
    return "–" if _missing(value) else f"{decimal(100 * value, digits)} %"


def points(value: float, digits: int = 2) -> str:
    """Returns a difference of shares in percentage points, with its sign."""
    return "–" if _missing(value) else signed(100 * value, digits)


_KINDS: dict[str, Callable[[float, int], str]] = {"percent": percent, "points": points}
"""Kind of share -> what writes an end of its interval in so many decimals."""


def interval(ends: tuple[float, float, int], kind: str) -> str:
    """Returns the t-interval of replicates: "[low, high]", or that they are equal.

    Args:
        ends: both ends, and how many replicates there are; of one the text is empty.
        kind: percent or points, or a number for any other unit.
    """
    low, high, n = ends
    if n < 2:
        return ""
    if not low < high:
        return EQUAL
    if kind == "number":
        return f"[{number(low)}, {number(high)}]"
    digits, least, most = apart(100 * low, 100 * high)
    write = _KINDS[kind]
    return f"[{write(least / 100, digits)}, {write(most / 100, digits)}]"


def number(value: Any) -> str:
    """Returns a number in four digits, and text as it is."""
    if _missing(value):
        return "–"
    if not isinstance(value, float):
        return str(value)
    return re.sub("^-", "−", f"{value:z.4g}").replace("inf", "∞")


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


FILTERS: dict[str, Callable[..., Any]] = {
    "percent": percent,
    "points": points,
    "decimal": decimal,
    "interval": interval,
    "share": share,
    "number": number,
    "raw": raw,
    "coded": coded,
}
"""Name in a template -> function."""
