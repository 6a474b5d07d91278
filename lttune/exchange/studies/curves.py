"""The learning curves of a study completed from its store, at any later time."""

from __future__ import annotations

from pathlib import Path

from lttune.exchange.stored import store_of
from lttune.records.folder import read_sheet
from lttune.records.tables.curves import CURVES_FILE, gather_curves
from lttune.store.locks import only_driver
from lttune.store.remote.records import record_reader


def complete_curves(folder: Path, store: str | None = None) -> list[str]:
    """Adds to a study's curves those of networks that are in the store; returns what was done.

    Args:
        folder: the study's.
        store: as of ``store_of``.

    Raises:
        ConfigError: if its store must be given.
        LockedError: if the study is being run.
        StorageError: if the folder holds no study, or one of its files or the store cannot be read.
    """
    sheet = read_sheet(folder)
    cells = store_of(folder, sheet, store)
    with only_driver(folder):
        found = gather_curves(folder, sheet.get("study_id"), record_reader(cells))
    told = [f"{folder / CURVES_FILE}: the curves of {found.added:,} networks were added"]
    if found.aside:
        told.append(f"it was damaged: it is made anew, and kept as {found.aside}")
    if found.lacking:
        told.append(
            f"it lacks those of {found.lacking:,} of {found.networks:,} networks, which {cells} "
            "does not have"
        )
    return told
