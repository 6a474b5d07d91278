"""The files of a study's folder as all commands read them: for each mistake one line and code."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from lttune.config import flatten
from lttune.errors import StorageError, legible, listed
from lttune.records import rules
from lttune.records.columns import require_hparams
from lttune.records.ledger import (
    ENDED,
    NEEDED_OF_TRIAL,
    FollowedLedger,
    Ledger,
    Trial,
    listed_trials,
    listing_in,
)
from lttune.records.schema import ANY_STUDY
from lttune.records.tables import TABLES, table_in
from lttune.records.tables.curves import CURVES_FILE
from lttune.store.files import read_whole, reason_of
from lttune.store.regular import regular_size
from lttune.store.sealed import read_object

PARTS = ("trials.json", *TABLES, CURVES_FILE)
"""Files that are nothing without the ``study.json`` beside them."""


def read_sheet(folder: Path, needed: Collection[str] = ()) -> dict[str, Any]:
    """Returns ``study.json`` of a study, with at least the needed fields.

    Raises:
        StorageError: if the folder holds no study, or the file no such sheet.
        RefusedError: if a newer lttune wrote it.
    """
    with _of_a_study(folder, "study.json"):
        values = read_object(folder / "study.json")
    rules.require_sheet(folder / "study.json", values, needed)
    return values


@contextlib.contextmanager
def computed_from(path: Path) -> Iterator[None]:
    """Has what computing with the values of a JSON file of a study raises told in one line.

    Raises:
        StorageError: then, and where they are no settings that lttune has.
    """
    try:
        yield
    except LookupError as error:
        raise StorageError(f"{path} cannot be read: it lacks {reason_of(error)}") from error
    except (ArithmeticError, AttributeError, TypeError, ValueError) as error:
        raise StorageError(f"{path} cannot be read: {reason_of(error)}") from error


def read_listing(
    folder: Path, needed: Collection[str], study_id: str | None = ANY_STUDY
) -> dict[str, Any]:
    """Returns ``trials.json`` of a study, each of whose trials has at least the needed fields.

    Args:
        folder: the study's.
        needed: names of fields.
        study_id: that of ``study.json``; None in studies of older versions.

    Raises:
        StorageError: if the folder holds no study, or the file no such list, or that of another.
        RefusedError: if a newer lttune wrote it.
    """
    with _of_a_study(folder, "trials.json"):
        values = listing_in(folder / "trials.json", needed, study_id)
    for place, one in enumerate(values["trials"]):
        require_hparams(f"{folder / 'trials.json'}: trials[{place}]: ", one.get("hparams", {}))
    return values


def require_bounded_trials(
    folder: Path, sheet: Mapping[str, Any], listed_hparams: Sequence[Mapping[str, Any]]
) -> None:
    """Checks that a table of a study's trials and all that is said of each takes little memory.

    Args:
        folder: the study's.
        sheet: what ``study.json`` holds.
        listed_hparams: what each of its trials varies.

    Raises:
        StorageError: if it takes more than the list of the trials may.
    """
    factors = (str(one.get("path")) for one in sheet.get("factors", []))
    named = (*flatten(sheet["lottery"]), *sheet.get("space", ()), *factors)
    rules.require_bounded_table(folder / "trials.json", listed_hparams, named)


def read_trials(folder: Path, study_id: str | None = ANY_STUDY) -> list[Trial]:
    """Returns the trials of a study as they stand, in the order of their numbers.

    Args:
        folder: the study's.
        study_id: that of ``study.json``; None in studies of older versions.

    Raises:
        StorageError: if the folder holds no study, or its list cannot be read.
        RefusedError: if a newer lttune wrote it.
    """
    listed = read_listing(folder, NEEDED_OF_TRIAL, study_id)
    return listed_trials(folder / "trials.json", listed["trials"])


def look_at_ledger(followed: FollowedLedger, folder: Path, study_id: str | None) -> Ledger:
    """Returns the ledger of a study as it stands; raises what ``read_trials`` does.

    Args:
        followed: of the study's ``trials.json``.
        folder: the study's.
        study_id: that of ``study.json``; None in studies of older versions.
    """
    with _of_a_study(folder, "trials.json"):
        return followed.now(study_id)


def read_table(
    path: Path, needed: Collection[str] = (), study_id: str | None = ANY_STUDY
) -> pa.Table:
    """Returns a table; one without rows if the study has not written it yet.

    Args:
        path: the file.
        needed: names of columns.
        study_id: that of ``study.json``; None in studies of older versions.

    Raises:
        StorageError: if it cannot be read, is of another study, or lacks a needed column.
        RefusedError: if a newer lttune wrote it.
    """
    table = table_in(path, study_id)
    missing = [name for name in needed if name not in table.column_names]
    if len(table) and missing:
        raise StorageError(f"{path} lacks {listed(missing)}")
    return table


def require_rows(
    path: Path, trials: Iterable[Mapping[str, Any]], counts: Mapping[int, int]
) -> None:
    """Checks that a table has as many rows of each trial as it had when the trial ended.

    Args:
        path: the table.
        trials: the fields of each, as ``trials.json`` lists them.
        counts: number of a trial -> rows that the table has of it.

    Raises:
        StorageError: if it is another table than the one that the trials left, or is gone.
    """
    wrong = list[int]()
    for one in trials:
        count = counts.get(one["number"], 0)
        if one.get("state") in ENDED and count != (one.get("rows") or {}).get(path.stem, count):
            wrong.append(one["number"])
    if wrong:
        raise StorageError(
            f"{path} must have the rows of all trials that ended, and has others of "
            f"{listed(wrong)}: put it back, run the study again, or let `lttune doctor STUDY "
            "--repair` make them"
        )


ANSWER = "answer.txt"
"""File of a study with what its report answers, a sentence a line."""
MOST_ANSWERED = 1 << 20
"""Bytes of an answer that are read: those of a report are a few thousand."""


def read_answer(folder: Path) -> list[str]:
    """Returns the sentences that the last report of a study answered, none without a report.

    Nothing depends on them: a file that cannot be read is as good as none.
    """
    path = folder / ANSWER
    try:
        data = read_whole(path) if regular_size(path) <= MOST_ANSWERED else b""
    except OSError:
        return []
    return [legible(line) for line in data.decode(errors="replace").splitlines()]


@contextlib.contextmanager
def _of_a_study(folder: Path, name: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        text = f"{folder} is no study: it has no {name}"
        # Where a run puts its studies, of which people may give the name alone.
        usual = Path("results") / folder.name
        hint = f"; did you mean {usual}?" if (usual / name).is_file() and usual != folder else ""
        raise StorageError(text + hint) from None
