"""Whether a study's files are whole, belong together, and have their networks in the store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lttune.errors import LttuneError, StorageError
from lttune.exchange.health.inspection import Inspection
from lttune.records.folder import read_sheet, read_table, read_trials, require_rows
from lttune.records.ledger import ENDED, Trial
from lttune.records.tables import Row
from lttune.store.store import Store

AGAIN = "run the study again: what is missing is trained, and nothing else"
REPAIR = "lttune doctor --repair makes the tables anew from the store"


def study_findings(folder: Path) -> list[Inspection]:
    """Returns what there is to say of a study; nothing is changed.

    Raises:
        StorageError: if the folder holds no study.
        RefusedError: if a newer lttune wrote it.
    """
    sheet = read_sheet(folder)
    study_id = sheet.get("study_id")
    found = [Inspection(what=f"study.json: {sheet.get('name', folder.name)}")]
    trials = _part(found, "trials.json", lambda: read_trials(folder, study_id), AGAIN)
    tables: dict[str, list[Row]] = {}
    for name in ("records", "layers"):
        path = folder / f"{name}.parquet"
        rows = _part(found, path.name, lambda path=path: read_table(path, ("trial",), study_id))
        if rows is not None:
            tables[name] = rows
    if trials is not None:
        found += _together(trials, tables)
    if "records" in tables:
        found.append(_networks(folder.parent / "cells", tables["records"]))
    return found


def _part(found: list[Inspection], name: str, read: Callable[[], Any], mend: str = REPAIR) -> Any:
    """Reads a part of a study, and notes how that went; None if it cannot be read."""
    try:
        values = read()
    except LttuneError as error:
        found.append(
            Inspection(what=name, trouble=str(error), mend=mend, exit_code=error.exit_code)
        )
        return None
    found.append(Inspection(what=f"{name}: {len(values):,} entries"))
    return values


def _together(trials: list[Trial], tables: dict[str, list[Row]]) -> Iterator[Inspection]:
    ended = {trial.number for trial in trials if trial.state in ENDED}
    for name, rows in tables.items():
        listed = {row["trial"] for row in rows}
        unknown = listed - {trial.number for trial in trials}
        missing = ended - listed
        trouble = ""
        try:
            numbers = (row["trial"] for row in rows)
            require_rows(Path(f"{name}.parquet"), map(vars, trials), numbers)
        except StorageError as error:
            trouble = str(error)
        if unknown:
            trouble = f"rows of {len(unknown)} trials that trials.json does not list"
        elif missing:
            trouble = f"no rows of {len(missing)} trials that have ended"
        yield Inspection(
            what=f"{name}.parquet beside trials.json",
            trouble=trouble,
            mend=REPAIR if trouble else "",
            exit_code=StorageError.exit_code if trouble else 0,
        )


def _networks(cells: Path, rows: list[Row]) -> Inspection:
    keys = sorted({str(row["cell"]) for row in rows if row.get("cell")})
    store, lost = Store(cells, writes=False), 0
    for key in keys:
        try:
            lost += store.read(key) is None
        except StorageError as error:
            code = error.exit_code
            return Inspection(what=f"{cells}", trouble=str(error), mend="", exit_code=code)
    return Inspection(
        what=f"{cells}: {len(keys):,} networks",
        trouble=f"{lost:,} of them are missing or damaged" if lost else "",
        mend="their rows stay true; a study that needs them trains them again" if lost else "",
    )
