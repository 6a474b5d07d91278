"""JSON of plain values: what is written can be read, and what others wrote is held to that."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, NoReturn

from lttune.store.files import read_whole, write_atomically


def write_json(path: Path, values: Any) -> None:
    """Writes plain values as readable JSON in one atomic replacement."""
    with write_atomically(path) as temporary:
        write_draft(temporary, values)


def write_draft(path: Path, values: Any) -> None:
    """Writes JSON in a folder that does not count before it is flushed and renamed."""
    path.write_text(json.dumps(values, indent=1, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Returns the plain values of a JSON file.

    Raises:
        OSError: if it cannot be read.
        ValueError: if it is no JSON.
    """
    return parse_json(read_whole(path))


DEEPEST = 100
"""Lists and objects in each other that JSON may have; ours has ten at most, and Python walks on a
stack of a thousand calls."""
_TOO_DEEP = "its lists are nested too deeply"


def parse_json(data: bytes, has_infinities: bool = False) -> Any:
    """Returns the plain values of the bytes of a JSON file.

    Args:
        data: the bytes.
        has_infinities: whether they may hold what Python writes for infinities, and NaN.

    Raises:
        ValueError: if they are no JSON; NaN, infinities and numbers that 64 bits cannot hold, which
            ours never has, are none, nor what lies deeper than ``DEEPEST``.
    """
    try:
        # JSON is UTF-8; by itself Python would guess, and take halves of pairs for characters.
        text = data.decode("utf-8-sig")
        constant = float if has_infinities else _refuse
        values = json.loads(text, parse_constant=constant, parse_int=_whole, parse_float=_finite)
        _require_shallow(values)
        if "\\u" in text:
            # Half of a pair is no character: no output could be written of it.
            json.dumps(values, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    return values


def _require_shallow(values: Any) -> None:
    """Raises ``ValueError`` if who walks through the values would go too deep."""
    inside = [values]
    for _ in range(DEEPEST):
        inside = [
            one
            for outer in inside
            if isinstance(outer, dict | list)
            for one in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(one, dict | list)
        ]
        if not inside:
            return
    raise ValueError(_TOO_DEEP)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"it holds {constant}, which is no JSON")


def _whole(text: str) -> int:
    # Of a longer one Python refuses to make a number, or takes long.
    number = int(text) if len(text) <= _MOST_DIGITS else 2**63
    if not -(2**63) <= number < 2**63:
        raise ValueError(f"it holds {text[:_MOST_DIGITS]}..., a number that 64 bits cannot hold")
    return number


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"it holds {text[:_MOST_DIGITS]}, a number that 64 bits cannot hold")
    return number


_MOST_DIGITS = 20
"""Characters of a whole number of 64 bits, and of a number that a message shows."""
