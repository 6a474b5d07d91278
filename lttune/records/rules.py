"""What the JSON files of a study must hold: each field that is there is what its reader expects."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from lttune.config.fields import is_int, is_number
from lttune.errors import StorageError

Rule = tuple[str, Callable[[Any], bool]]
"""What a value must be, in words and as a test."""


def _list_of(what: str, fits: Callable[[Any], bool]) -> Rule:
    return f"a list of {what}", lambda value: isinstance(value, list) and all(map(fits, value))


def _or_null(rule: Rule) -> Rule:
    words, fits = rule
    return f"{words} or null", lambda value: value is None or fits(value)


TEXT: Rule = "a text", lambda value: isinstance(value, str)
OBJECT: Rule = "an object", lambda value: isinstance(value, dict)
NUMBER: Rule = "a number", is_number
COUNT: Rule = "a whole number", is_int
TEXTS = _list_of("texts", TEXT[1])
OBJECTS = _list_of("objects", OBJECT[1])
COUNTS = _list_of("whole numbers", is_int)

SHEET: dict[str, Rule] = {
    **dict.fromkeys(("name", "question", "source", "scale", "command"), TEXT),
    "created": ("a time in ISO 8601", lambda value: _is_time(value)),
    **dict.fromkeys(("lottery", "objective", "code", "packages", "machine", "dataset"), OBJECT),
    **dict.fromkeys(("lottery.data", "lottery.train", "lottery.prune", "config"), OBJECT),
    **dict.fromkeys(("lottery.target", "config.objective"), _or_null(OBJECT)),
    "lottery.train.steps": COUNT,
    "config.phases": TEXTS,
    "config.objective.density": _or_null(NUMBER),
    "space": ("an object of choices, or of low and high", lambda value: _is_space(value)),
    "factors": OBJECTS,
    "runs": OBJECTS,
    "controls": TEXTS,
    "compared": _or_null(TEXT),
    "objective.directions": TEXTS,
}
"""Dotted field of ``study.json`` -> its rule."""

TRIAL: dict[str, Rule] = {
    "number": COUNT,
    "phase": TEXT,
    "label": TEXT,
    "hparams": OBJECT,
    "replicates": COUNTS,
    "controls": TEXTS,
    "role": _or_null(TEXT),
    "inert": _or_null(NUMBER),
    "state": TEXT,
    "objective": _or_null(NUMBER),
    "values": _or_null(_list_of("numbers", is_number)),
    "seconds": _or_null(NUMBER),
    "error": _or_null(TEXT),
}
"""Field of a trial in ``trials.json`` -> its rule."""


def require_sheet(path: Path, values: Mapping[str, Any], needed: Collection[str]) -> None:
    """Raises ``StorageError`` if a sheet lacks a field (a dotted name), or one breaks its rule."""
    if missing := [name for name in needed if not _has(values, name.split("."))]:
        raise StorageError(f"{path} lacks {', '.join(missing)}")
    _require(f"{path}: ", values, SHEET)


def require_listing(path: Path, values: Mapping[str, Any], needed: Collection[str]) -> None:
    """Raises ``StorageError`` unless a file lists trials whose fields keep their rules.

    Args:
        path: the file.
        values: what it holds.
        needed: fields that each trial must have.
    """
    trials = values.get("trials")
    if not isinstance(trials, list) or not all(
        isinstance(one, dict) and one.keys() >= set(needed) for one in trials
    ):
        raise StorageError(f"{path} must hold a list of trials, each with {', '.join(needed)}")
    for place, one in enumerate(trials):
        _require(f"{path}: trials[{place}].", one, TRIAL)
    planned = values.get("planned", {})
    if not isinstance(planned, dict) or not all(map(is_int, planned.values())):
        raise StorageError(f"{path}: planned must be a whole number for each phase")


def _has(values: Any, names: Sequence[str]) -> bool:
    if not names:
        return True
    return isinstance(values, dict) and names[0] in values and _has(values[names[0]], names[1:])


def _require(where: str, values: Mapping[str, Any], rules: Mapping[str, Rule]) -> None:
    for name, (words, fits) in rules.items():
        *groups, field = name.split(".")
        inside = functools.reduce(lambda at, group: at.get(group) or {}, groups, values)
        if field in inside and not fits(inside[field]):
            raise StorageError(f"{where}{name} must be {words}, got {repr(inside[field])[:80]}")


def _is_time(value: Any) -> bool:
    try:
        datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return False
    return True


def _is_space(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(one, dict)
        and (
            isinstance(one.get("choices"), list)
            or (is_number(one.get("low")) and is_number(one.get("high")))
        )
        for one in value.values()
    )
