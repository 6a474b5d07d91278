"""How a field of the claims file is checked: one line with claim, field, rule and value."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lttune.config.fields import is_number, require, require_choice
from lttune.errors import unknown


def require_text(where: str, value: object) -> None:
    """Raises ``ConfigError`` unless a value is one line of text."""
    ok = isinstance(value, str) and bool(value.strip()) and "\n" not in value.strip()
    require(ok, where, "one line of text", value)


def require_number(where: str, value: object, rule: str) -> None:
    """Raises ``ConfigError`` unless a value is a finite number."""
    require(is_number(value), where, rule, value)


def require_one_of(where: str, value: object, choices: Iterable[str]) -> None:
    """Raises ``ConfigError`` unless a value is one of some names."""
    names = tuple(choices)
    if value not in names:
        raise unknown(where, value, names)


def require_names(where: str, names: Sequence[str]) -> None:
    """Raises ``ConfigError`` if a name stands twice."""
    twice = sorted({name for name in names if names.count(name) > 1})
    require(not twice, where, "of different names", twice[0] if twice else "")


__all__ = [
    "require",
    "require_choice",
    "require_names",
    "require_number",
    "require_one_of",
    "require_text",
]
