"""The files of a study's folder as all commands read them: for each mistake one line and code."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from lttune.errors import StorageError
from lttune.records import schema
from lttune.records.ledger import Trial
from lttune.records.tables import Row
from lttune.store.files import read_json


def read_object(folder: Path, name: str) -> dict[str, Any]:
    """Returns what ``study.json`` or ``trials.json`` of a study holds.

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


def read_trials(folder: Path) -> list[Trial]:
    """Returns the trials of a study as they stand, in the order of their numbers.

    Raises:
        StorageError: if the folder holds no study, or its list cannot be read.
    """
    listed = read_object(folder, "trials.json")
    try:
        return sorted((Trial(**one) for one in listed["trials"]), key=lambda t: t.number)
    except (KeyError, TypeError):
        needed = [f.name for f in dataclasses.fields(Trial) if f.default is dataclasses.MISSING]
        path, fields = folder / "trials.json", ", ".join(needed)
        raise StorageError(f"{path} must hold a list of trials, each with {fields}") from None


def read_table(path: Path) -> list[Row]:
    """Returns the rows of a table; none if the study has not written it yet.

    Raises:
        StorageError: if it cannot be read.
    """
    try:
        return schema.read(path)
    except (OSError, ValueError) as error:
        raise StorageError(f"{path} cannot be read: {_line(error)}") from None


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
