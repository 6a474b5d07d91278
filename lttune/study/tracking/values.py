"""Names, values and times as MLflow takes them, without secrets."""

from __future__ import annotations

import math
import numbers
import posixpath
import re
import time
from collections.abc import Mapping
from typing import Any

from lttune.config.passwords import masked

MAX_PARAM, MAX_TAG, MAX_NOTE = 6000, 8000, 20_000
"""Characters of a value that MLflow stores."""

_MAX_KEY = 250


def is_key(name: str) -> bool:
    """Returns whether MLflow takes the name of a metric, param or tag."""
    is_path = posixpath.normpath(name) == name and not name.startswith(("/", ".."))
    ok = is_path and name != "." and re.fullmatch(rf"[\w.\-:/ ]{{1,{_MAX_KEY}}}", name)
    return bool(ok)


def texts(values: Mapping[str, Any], most: int) -> dict[str, str]:
    """Returns the values whose names MLflow takes, as text of at most ``most`` characters."""
    return {name: text(value, most) for name, value in values.items() if is_key(name)}


def text(value: Any, most: int) -> str:
    """Returns a value as text of at most ``most`` characters."""
    return masked(str(value))[:most]


def finite(metrics: Mapping[str, float]) -> dict[str, float]:
    """Returns the metrics that are finite numbers and whose names MLflow takes."""
    return {
        name: float(value)
        for name, value in metrics.items()
        if isinstance(value, numbers.Real) and math.isfinite(value) and is_key(name)
    }


def now() -> int:
    """Returns the time in ms since 1970."""
    return time.time_ns() // 1_000_000
