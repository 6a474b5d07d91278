"""Names of code of one's own, which may stand where the name of a row of a table stands."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, get_args

from lttune.config.rules import Rules
from lttune.errors import unknown

OWN_NAMES_OF_CODE = (
    r".+\.py:[A-Za-z_]\w*",
    r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*",
)
"""Patterns: a function of a file, a function of a module of a package."""
OWN_FORM = "./FILE.py:FUNCTION"
"""How messages call them."""


def is_own_code(name: object) -> bool:
    """Returns whether a name is that of a function of one's own, and of no row of a table."""
    return isinstance(name, str) and any(re.fullmatch(p, name) for p in OWN_NAMES_OF_CODE)


def without_place(name: str) -> str:
    """Returns what tables and charts call a row of a table or a function: without its file."""
    return name.rpartition(":")[2] if is_own_code(name) else name


def require_row_or_own(rules: Rules, path: str, value: object, choices: Any) -> None:
    """Notes a value that is neither one of a Literal's, or of some names, nor code of one's own."""
    names: Iterable[str] = get_args(choices) or tuple(choices)
    if not (is_own_code(value) or (isinstance(value, str) and value in names)):
        rules.note(unknown(path, value, (*names, OWN_FORM)))
