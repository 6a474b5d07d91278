"""An objective of one's own: a function of the rows of one replicate's trunk.

It trains nothing, so that its code is in no key of a trained network. What it gave stands in the
study's list of trials, which is all that who reads a study needs.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from lttune.errors import LONGEST_QUOTED, legible, quoted
from lttune.records.own.parts import KNOWN_PARTS, known_part, number_given

OBJECTIVE = "objective.name"
"""The setting that names objectives."""
LARGEST_OBJECTIVE = 1e30
"""Largest size of a number of one's own: means and axes are made of it."""


def own_objective(name: str, rows: Sequence[Mapping[str, Any]], classes: int) -> float:
    """Returns the number that a function of one's own gives a trajectory.

    It gets a copy of the rows, so that nothing it does to them reaches the records.

    Args:
        name: as ``objective.name``.
        rows: of one replicate's trunk, as ``lttune.trajectory.trial.trunk_row`` makes them.
        classes: that are told apart.

    Raises:
        ConfigError: if it was not made known, raises an error, or gives no such number.
        StorageError: if its code is not here.
    """
    part, on = known_part(OBJECTIVE, name), f" on {_in_words(rows)}"
    found = part.called(copy.deepcopy(list(rows)), classes, on=on)
    value = number_given(found)
    if not abs(value) <= LARGEST_OBJECTIVE:
        rule = f"a finite number, at most {LARGEST_OBJECTIVE:g} in size"
        part.refuse(f"must return {rule}, got {quoted(found)}{on}")
    return value


def own_objective_text(name: str) -> str:
    """Returns what an objective of one's own is, in words: what its function says of itself."""
    part = KNOWN_PARTS.get((OBJECTIVE, name))
    said = inspect.getdoc(part.run) if part is not None and part.code is not None else None
    first = legible((said or "").strip().partition("\n")[0])[:LONGEST_QUOTED]
    return f"what {name} returns{first and f': {first}'}"


def _in_words(rows: Sequence[Mapping[str, Any]]) -> str:
    """Returns what a message says of a trajectory."""
    levels = f"{len(rows)} level{'' if len(rows) == 1 else 's'}"
    is_diverged = any(row.get("diverged") for row in rows)
    return f"a trajectory of {levels}{', the last of which diverged' if is_diverged else ''}"
