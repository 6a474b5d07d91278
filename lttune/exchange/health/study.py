"""Whether a study's files are whole, belong together, and have their networks in the store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from lttune.data.made import use_kept
from lttune.errors import (
    DamagedError,
    LttuneError,
    OtherStudyError,
    RefusedError,
    StorageError,
)
from lttune.exchange.health.curves import curve_findings
from lttune.exchange.health.datasets import needed_findings
from lttune.exchange.health.disks import room_finding
from lttune.exchange.health.exposure import writable_findings
from lttune.exchange.health.inspection import Inspection
from lttune.exchange.health.networks import keys_of, network_findings
from lttune.exchange.health.tracking import tracking_finding
from lttune.exchange.stored import store_of
from lttune.records.folder import read_sheet, read_trials, require_rows
from lttune.records.ledger import ENDED, Ledger, Trial
from lttune.records.tables import TABLES, sound_table, trial_counts
from lttune.store.remote.places import local_folder

NEWER = "use the lttune that wrote it, or a later one"
_LOOKED_AT = ("trial", "cell")
"""Columns of tables of which all rows are looked at together."""
REPAIR = (
    "`lttune doctor STUDY --repair` makes the tables anew from the store; what the store lacks is "
    "trained when the study is run again"
)


def study_findings(
    folder: Path,
    tracking_uri: str | None = None,
    store: str | None = None,
    contents: bool = False,
) -> list[Inspection]:
    """Returns what there is to say of a study; nothing is changed.

    Args:
        folder: the study's.
        tracking_uri: as in ``tracking_finding``.
        store: as of ``store_of``.
        contents: as of ``network_findings``.

    Raises:
        ConfigError: if its store must be given.
        StorageError: if the folder holds no study.
        RefusedError: if a newer lttune wrote it.
    """
    sheet = read_sheet(folder)
    cells = store_of(folder, sheet, store)
    study_id = sheet.get("study_id")
    found = [Inspection(what=f"study.json: {sheet.get('name', folder.name)}")]
    read_all = partial(_ledger, folder, study_id)
    ledger = _part(found, "trials.json", read_all, partial(_mend_of_trials, folder), _listed)
    tables: dict[str, pa.Table] = {}
    for name in TABLES:
        path = folder / name
        read = partial(sound_table, path, study_id, _LOOKED_AT)
        table = _part(found, name, read, _mend_of_table)
        if table is not None:
            tables[name] = table
    if ledger is not None:
        found.append(_done(ledger))
        found += _together(ledger.trials, tables)
        use_kept(sheet, folder)
        found += needed_findings(sheet, ledger.trials)
    records = tables.get("records.parquet")
    found += curve_findings(folder, study_id, records)
    if records is not None:
        found += network_findings(cells, keys_of(records), contents)
    found += [room_finding(folder), tracking_finding(tracking_uri, sheet)]
    local = local_folder(cells)
    return [*found, *writable_findings(folder, *(one for one in (local,) if one.exists()))]


def _ledger(folder: Path, study_id: str | None) -> Ledger:
    """Returns the ledger that a study would go on with, if all commands can read it."""
    read_trials(folder, study_id)
    return Ledger.open(folder / "trials.json", study_id)


def _listed(ledger: Ledger) -> int:
    return len(ledger.trials)


def _done(ledger: Ledger) -> Inspection:
    """Returns how many of the planned trials are done: no fault, as a run may go on at any time."""
    done, total = ledger.count(*ENDED), ledger.total or len(ledger.trials)
    is_whole = ledger.complete and done >= total
    state = "complete" if is_whole else "incomplete: the study's command goes on"
    return Inspection(what=f"{done} of {total} trials are done, {state}")


def _part(
    found: list[Inspection],
    name: str,
    read: Callable[[], Any],
    mend_of: Callable[[LttuneError], str],
    count: Callable[[Any], int] = len,
) -> Any:
    """Reads a part of a study, and notes how that went; None if it cannot be read."""
    try:
        values = read()
    except LttuneError as error:
        mend = NEWER if isinstance(error, RefusedError) else mend_of(error)
        code = error.exit_code
        found.append(Inspection(what=name, trouble=str(error), mend=mend, exit_code=code))
        return None
    found.append(Inspection(what=f"{name}: {count(values):,} entries"))
    return values


def _mend_of_trials(folder: Path, error: LttuneError) -> str:
    anew = "run the study again: networks in the store stay trained"
    if not (folder / "trials.json").exists():
        return f"put it back, or {anew}"
    if isinstance(error, DamagedError | OtherStudyError):
        name = "trials.journal" if str(folder / "trials.journal") in str(error) else "it"
        return f"put this study's own back, or move {name} away and {anew}"
    return "put a copy of it back, or see that it can be read"


def _mend_of_table(error: LttuneError) -> str:
    if isinstance(error, DamagedError):
        return REPAIR
    if isinstance(error, OtherStudyError):
        return f"put back this study's own, or move it away: then {REPAIR}"
    return f"see that it can be read, or move it away: then {REPAIR}"


def _together(trials: list[Trial], tables: dict[str, pa.Table]) -> Iterator[Inspection]:
    ended = {trial.number for trial in trials if trial.state in ENDED}
    for name, table in tables.items():
        counts = trial_counts(table)
        listed = counts.keys()
        unknown = listed - {trial.number for trial in trials}
        missing = ended - listed
        trouble = ""
        try:
            require_rows(Path(name), map(vars, trials), counts)
        except StorageError as error:
            trouble = str(error)
        if unknown:
            trouble = f"rows of {len(unknown)} trials that trials.json does not list"
        elif missing:
            trouble = f"no rows of {len(missing)} trials that have ended"
        yield Inspection(
            what=f"{name} beside trials.json",
            trouble=trouble,
            mend=REPAIR if trouble else "",
            exit_code=StorageError.exit_code if trouble else 0,
        )
