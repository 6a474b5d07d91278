"""The files of a study's folder as all commands read them: for each mistake one line and code."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from pathlib import Path
from typing import Any

from lttune.errors import StorageError
from lttune.records import rules, schema
from lttune.records.ledger import Trial
from lttune.records.tables import Row
from lttune.store.files import read_json


def read_object(folder: Path, name: str) -> dict[str, Any]:
    """Returns what a JSON file of a study holds, whatever its fields.

    Raises:
        StorageError: if the folder holds no study, or the file cannot be read.
    """
    try:
        values = read_json(folder / name)
    except (FileNotFoundError, NotADirectoryError):
        raise StorageError(f"{folder} is no study: it has no {name}") from None
    except (OSError, ValueError) as error:
        raise StorageError(f"{folder / name} cannot be read: {_line(error)}") from None
    if not isinstance(values, dict):
        raise StorageError(f"{folder / name} must hold a JSON object")
    return values


def read_sheet(folder: Path, needed: Collection[str] = ()) -> dict[str, Any]:
    """Returns ``study.json`` of a study, with at least the needed fields.

    Raises:
        StorageError: if the folder holds no study, or the file no such sheet.
    """
    values = read_object(folder, "study.json")
    rules.require_sheet(folder / "study.json", values, needed)
    return values


def read_listing(folder: Path, needed: Collection[str]) -> dict[str, Any]:
    """Returns ``trials.json`` of a study, each of whose trials has at least the needed fields.

    Raises:
        StorageError: if the folder holds no study, or the file no such list.
    """
    values = read_object(folder, "trials.json")
    rules.require_listing(folder / "trials.json", values, needed)
    return values


def read_trials(folder: Path) -> list[Trial]:
    """Returns the trials of a study as they stand, in the order of their numbers.

    Raises:
        StorageError: if the folder holds no study, or its list cannot be read.
    """
    needed = [f.name for f in dataclasses.fields(Trial) if f.default is dataclasses.MISSING]
    listed = read_listing(folder, needed)
    try:
        return sorted((Trial(**one) for one in listed["trials"]), key=lambda t: t.number)
    except TypeError as error:
        known = ", ".join(f.name for f in dataclasses.fields(Trial))
        raise StorageError(
            f"{folder / 'trials.json'} must hold a list of trials with no fields but {known}"
        ) from error


def read_table(path: Path, needed: Collection[str] = ()) -> list[Row]:
    """Returns the rows of a table; none if the study has not written it yet.

    Raises:
        StorageError: if it cannot be read, or lacks a needed column.
    """
    try:
        rows = schema.read(path)
    except (OSError, ValueError) as error:
        raise StorageError(f"{path} cannot be read: {_line(error)}") from None
    if rows and (missing := [name for name in needed if name not in rows[0]]):
        raise StorageError(f"{path} lacks {', '.join(missing)}")
    return rows


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
