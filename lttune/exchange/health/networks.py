"""Whether the networks of a study are in its store, and behind its URL if that is where it is."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from lttune.errors import LttuneError, StorageError, UnreachableError
from lttune.exchange.health.inspection import Inspection
from lttune.exchange.stored import store_of
from lttune.records.folder import read_sheet
from lttune.records.tables import sound_table
from lttune.store.remote.places import absence, store_at
from lttune.store.remote.url import is_url
from lttune.store.remote.url_store import UrlStore


def keys_of(records: pa.Table) -> list[str]:
    """Returns the keys of the networks that rows of ``records.parquet`` are about."""
    found = records["cell"].unique().to_pylist() if len(records) else []
    return sorted(key for key in found if key)


def network_findings(cells: str, keys: Sequence[str]) -> Iterator[Inspection]:
    """Yields what there is to say of a study's networks, which are all read.

    Args:
        cells: its store.
        keys: of the networks.
    """
    store, lost, only_here = store_at(cells, writes=False), 0, 0
    try:
        for key in keys:
            if store.read(key) is None:
                lost += 1
            elif isinstance(store, UrlStore):
                only_here += not store.is_behind(key)
        lacks = absence(cells) if keys and lost == len(keys) else ""
    except UnreachableError as error:  # It says what to do.
        yield Inspection(what=cells, trouble=str(error), exit_code=error.exit_code)
        return
    except StorageError as error:
        yield Inspection(
            what=cells,
            trouble=str(error),
            mend="see that it can be read and is no link; or move it and records.parquet away "
            "and run the study again, which trains all of it anew",
            exit_code=error.exit_code,
        )
        return
    if lacks and is_url(cells):
        mend, code = "give --store as it was given to the study", StorageError.exit_code
        yield Inspection(what=cells, trouble=lacks, mend=mend, exit_code=code)
        return
    # A folder may have been removed to have its room back.
    see = "; ".join(filter(None, (lacks, "see that this is the study's store; ")))
    see = see if lost == len(keys) else ""
    yield Inspection(
        what=f"{cells}: {len(keys):,} networks",
        trouble=f"{lost:,} of them are missing or damaged; their rows stay true" if lost else "",
        mend=f"{see}to have them again, move records.parquet away and run the study again"
        if lost
        else "",
    )
    if only_here:
        yield Inspection(
            what=f"{cells}: {only_here:,} of the networks are in the copy on this machine",
            trouble="behind the URL they are missing or damaged: other machines would train them",
            mend="`lttune doctor STUDY --store URL --repair` puts them there",
        )


def put_back(folder: Path, store: str | None = None) -> int | None:
    """Puts those of a study's networks that the copy on this machine has and its URL lacks.

    Args:
        folder: the study's.
        store: as of ``store_of``.

    Returns:
        How many it put; None of a store in a folder.

    Raises:
        StorageError: if a network cannot be read.
        UnreachableError: if the URL does not tell, or does not take one.
    """
    sheet = read_sheet(folder)
    opened = store_at(store_of(folder, sheet, store))
    if not isinstance(opened, UrlStore):
        return None
    keys: list[str] = []
    with contextlib.suppress(LttuneError):  # Of a table that cannot be read, the findings tell.
        keys = keys_of(sound_table(folder / "records.parquet", sheet.get("study_id"), ("cell",)))
    return sum(map(opened.put_back, keys))
