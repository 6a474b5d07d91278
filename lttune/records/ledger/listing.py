"""``trials.json`` with the journal beside it, read as one."""

from __future__ import annotations

import functools
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from lttune.config.fields import is_int
from lttune.records import rules
from lttune.records.schema import ANY_STUDY, require_same_study
from lttune.store.formats.journal import read_journaled
from lttune.store.sealed import read_digested


def listing_in(
    path: Path, needed: Collection[str], study_id: str | None = ANY_STUDY
) -> dict[str, Any]:
    """Returns the values of ``trials.json``, its trials as the journal beside it has them.

    Args:
        path: the file.
        needed: fields that each trial must have.
        study_id: that of ``study.json``; None in studies of older versions.

    Raises:
        FileNotFoundError: if there is no such file.
        StorageError: if it or its journal cannot be read or holds no such trials, or is of another
            study.
        DamagedError: if one of both is not what was written.
        RefusedError: if a newer lttune wrote one.
    """
    values, since = read_journaled(path, functools.partial(read_digested, path))
    return require_listed(path, values, since, needed, study_id)


def require_listed(
    path: Path,
    values: dict[str, Any],
    since: Sequence[Any],
    needed: Collection[str],
    study_id: str | None = ANY_STUDY,
) -> dict[str, Any]:
    """Returns what ``listing_in`` does of what file and journal hold, and raises what it does."""
    if since and isinstance(values.get("trials"), list):
        values["trials"] = as_they_stand(values["trials"], since)
    rules.require_listing(path, values, needed)
    require_same_study(path, values.get("study_id"), study_id)
    return values


def as_they_stand(listed: Sequence[Any], since: Sequence[Any]) -> list[Any]:
    """Returns trials with what was last said of each; what is none stays, to be refused."""
    last = dict[Any, Any]()
    for place, one in enumerate(since):
        number = _number_of(one)
        last[f"at {place}" if number is None else number] = one
    known = [last.pop(number, one) if is_int(number := _number_of(one)) else one for one in listed]
    return [*known, *last.values()]


def _number_of(one: Any) -> int | None:
    number = one.get("number") if isinstance(one, dict) else None
    return number if is_int(number) else None
