"""What the JSON files of a study must hold: each field that is there is what its reader expects."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from lttune.config.fields import is_int, is_number
from lttune.errors import StorageError, listed, quoted
from lttune.store.formats.journal import size_with_journal
from lttune.store.formats.parquet import VALUE_BYTES
from lttune.store.regular import most_memory

FieldRule = tuple[str, Callable[[Any], bool]]
"""What a value must be, in words and as a test."""


def _list_of(what: str, fits: Callable[[Any], bool]) -> FieldRule:
    return f"a list of {what}", lambda value: isinstance(value, list) and all(map(fits, value))


def _or_null(rule: FieldRule) -> FieldRule:
    words, fits = rule
    return f"{words} or null", lambda value: value is None or fits(value)


_TEXT: FieldRule = "a text", lambda value: isinstance(value, str)
_OBJECT: FieldRule = "an object", lambda value: isinstance(value, dict)
_NUMBER: FieldRule = "a number", is_number
_COUNT: FieldRule = "a whole number", is_int
_TRUTH: FieldRule = "true or false", lambda value: isinstance(value, bool)
_TEXTS = _list_of("texts", _TEXT[1])
_OBJECTS = _list_of("objects", _OBJECT[1])

SHEET_RULES: dict[str, FieldRule] = {
    **dict.fromkeys(("name", "question", "source", "scale", "command", "study_id"), _TEXT),
    "config.name": _TEXT,
    "created": ("a time in ISO 8601", lambda value: _is_time(value)),
    **dict.fromkeys(("lottery", "objective", "code", "packages", "machine", "dataset"), _OBJECT),
    **dict.fromkeys(("lottery.data", "lottery.train", "lottery.prune", "config"), _OBJECT),
    **dict.fromkeys(("lottery.target", "config.objective"), _or_null(_OBJECT)),
    "lottery.train.steps": _COUNT,
    "lottery.train.epochs": _or_null(_NUMBER),
    "config.phases": _TEXTS,
    "config.shard": _or_null(_TEXT),
    "config.objective.density": _or_null(_NUMBER),
    "space": ("an object of choices, or of low and high", lambda value: _is_space(value)),
    "factors": _OBJECTS,
    "scales": _TEXTS,
    "runs": _or_null(_OBJECTS),
    "controls": _TEXTS,
    "compared": _or_null(_TEXT),
    "objective.directions": _TEXTS,
    "code.version": _TEXT,
    "code.commit": _or_null(_TEXT),
    "code.dirty": _or_null(_TRUTH),
    "networks": _list_of("objects with a name and a source", lambda one: _has_texts(one, "name")),
    "own": _list_of(
        "objects with a field, a name and a source", lambda one: _has_texts(one, "field", "name")
    ),
}
"""Dotted field of ``study.json`` -> its rule."""

LISTING_RULES: dict[str, FieldRule] = {"wall_s": _NUMBER, "study_id": _TEXT}
"""Field of ``trials.json`` besides its trials -> its rule."""

TRIAL_RULES: dict[str, FieldRule] = {
    "number": _COUNT,
    "phase": _TEXT,
    "label": _TEXT,
    "hparams": _OBJECT,
    "replicates": ("a list of whole numbers >= 0, at least one", lambda value: _is_ids(value)),
    "controls": _TEXTS,
    "role": _or_null(_TEXT),
    "inert": _or_null(_NUMBER),
    "state": _TEXT,
    "objective": _or_null(_NUMBER),
    "values": ("a list of numbers or null", lambda value: value is None or _is_numbers(value)),
    "seconds": _or_null(_NUMBER),
    "error": _or_null(_TEXT),
    "rows": _or_null(
        (
            "an object of whole numbers >= 0",
            lambda value: isinstance(value, Mapping) and all(map(_is_count, value.values())),
        )
    ),
    "rebuilt": ("true or false", lambda value: isinstance(value, bool)),
}
"""Field of a trial in ``trials.json`` -> its rule."""

LONGEST_SETTING = 1_000
"""Characters of a setting's name, which may hold a layer's, at most: what people tell it by is
sought among all of its ends."""


def require_sheet(path: Path, values: Mapping[str, Any], needed: Collection[str]) -> None:
    """Raises ``StorageError`` if a sheet lacks a field (a dotted name), or one breaks its rule."""
    if missing := [name for name in needed if not _has(values, name.split("."))]:
        raise StorageError(f"{path} lacks {', '.join(missing)}")
    _require(f"{path}: ", values, SHEET_RULES)


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
        _require(f"{path}: trials[{place}].", one, TRIAL_RULES)
        if long := [name for name in one.get("hparams", ()) if len(name) > LONGEST_SETTING]:
            rule = f"a name of at most {LONGEST_SETTING:,} characters, got {quoted(long[0])}"
            raise StorageError(f"{path}: trials[{place}]: a hyperparameter must have {rule}")
    numbers = Counter(one["number"] for one in trials if "number" in one)
    if twice := [number for number, times in numbers.items() if times > 1]:
        raise StorageError(f"{path} must list each trial once, got {listed(twice)} several times")
    require_bounded_table(path, [one.get("hparams", {}) for one in trials])
    planned = values.get("planned", {})
    if not isinstance(planned, dict) or not all(map(_is_count, planned.values())):
        raise StorageError(f"{path}: planned must be a whole number for each phase")
    _require(f"{path}: ", values, LISTING_RULES)


def require_bounded_table(
    path: Path,
    rows: Sequence[Mapping[str, Any]],
    named: Iterable[str] = (),
    words: tuple[str, str] = ("trials", "settings"),
) -> None:
    """Checks that a table of what a file lists takes memory that follows its bytes.

    Those of its journal count as well.

    Each trial may vary another setting, and has a cell of every setting that any of them varies.

    Args:
        path: the file.
        rows: what it says of each of some things.
        named: the names of what each of them has besides.
        words: what they are, and what is said of them.

    Raises:
        StorageError: if it would take more than a file of that size may.
    """
    require_bounded_cells(path, len(rows), len(set(named).union(*rows)), words)


def require_bounded_cells(path: Path, count: int, columns: int, words: tuple[str, str]) -> None:
    """Checks the same of a table of so many rows and columns."""
    most = most_memory(size_with_journal(path))
    if VALUE_BYTES * columns * count > most:
        what, said = words
        raise StorageError(
            f"{path}: a table of its {count:,} {what} and their {columns:,} {said} would "
            f"fill more than {most >> 20:,} MB of memory"
        )


def _has(values: Any, names: Sequence[str]) -> bool:
    if not names:
        return True
    return isinstance(values, dict) and names[0] in values and _has(values[names[0]], names[1:])


def _require(where: str, values: Mapping[str, Any], rules: Mapping[str, FieldRule]) -> None:
    for name, (words, fits) in rules.items():
        *groups, field = name.split(".")
        inside = functools.reduce(_of_object, groups, values)
        # What is no object where one must be breaks a rule of its own.
        if isinstance(inside, Mapping) and field in inside and not fits(inside[field]):
            raise StorageError(f"{where}{name} must be {words}, got {repr(inside[field])[:80]}")


def _of_object(values: Any, name: str) -> Any:
    """Returns a field of an object; None of what is none."""
    return values.get(name) if isinstance(values, Mapping) else None


def _is_count(value: Any) -> bool:
    return is_int(value) and value >= 0


def _is_ids(value: Any) -> bool:
    return isinstance(value, list) and value != [] and all(map(_is_count, value))


def _is_numbers(value: Any) -> bool:
    return isinstance(value, list) and value != [] and all(map(is_number, value))


def _is_time(value: Any) -> bool:
    try:
        datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return False
    return True


def _has_texts(value: Any, *fields: str) -> bool:
    """Returns whether a part of one's own is named; ``lttune.models.own`` looks at the rest."""
    texts = (*fields, "source")
    return isinstance(value, dict) and all(isinstance(value.get(one), str) for one in texts)


def _is_space(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(one, dict)
        and (
            isinstance(one.get("choices"), list)
            or (is_number(one.get("low")) and is_number(one.get("high")))
        )
        for one in value.values()
    )
