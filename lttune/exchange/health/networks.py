"""Whether the networks of a study are in its store, and behind its URL if that is where it is."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from lttune.errors import LttuneError, StorageError, UnreachableError
from lttune.exchange.health.inspection import Inspection
from lttune.exchange.stored import store_of
from lttune.records.folder import read_sheet
from lttune.records.tables import sound_table
from lttune.store.disk import sized
from lttune.store.remote.places import absence, store_at
from lttune.store.remote.url import is_url
from lttune.store.remote.url_store import UrlStore
from lttune.store.store import Store

AT_ONCE = 8
"""Networks that are read behind a URL at a time, a piece of each: most of the time is waiting."""

_LOG = logging.getLogger(__name__)


@dataclass(kw_only=True)
class _Counts:
    """What became of networks."""

    lost: int = 0
    """Neither here nor there, as far as all was read."""
    only_here: int = 0
    read: int = 0
    """Bytes behind the URL."""


def keys_of(records: pa.Table) -> list[str]:
    """Returns the keys of the networks that rows of ``records.parquet`` are about."""
    found = records["cell"].unique().to_pylist() if len(records) else []
    return sorted(key for key in found if key)


def network_findings(
    cells: str, keys: Sequence[str], contents: bool = False
) -> Iterator[Inspection]:
    """Yields what there is to say of a study's networks, which are all read.

    Args:
        cells: its store.
        keys: of the networks.
        contents: whether those behind a URL are read there, also where there is a copy here.
    """
    store = store_at(cells, writes=False)
    try:
        if contents and isinstance(store, UrlStore):
            counts = _counted_there(store, keys)
        else:
            counts = _counted(store, keys)
        lost = counts.lost
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
    read = f", {sized(counts.read)} of them read there" if contents else ""
    yield Inspection(
        what=f"{cells}: {len(keys):,} networks{read}",
        trouble=f"{lost:,} of them are missing or damaged; their rows stay true" if lost else "",
        mend=f"{see}to have them again, move records.parquet away and run the study again"
        if lost
        else "",
    )
    if counts.only_here:
        flags = "--contents --repair" if contents else "--repair"
        yield Inspection(
            what=f"{cells}: {counts.only_here:,} of the networks are in the copy on this machine",
            trouble="behind the URL they are missing or damaged: other machines would train them",
            mend=f"`lttune doctor STUDY --store URL {flags}` puts them there",
        )


def _counted(store: Store, keys: Sequence[str]) -> _Counts:
    counts = _Counts()
    for key in keys:
        if store.read(key) is None:
            counts.lost += 1
        elif isinstance(store, UrlStore):
            counts.only_here += not store.is_behind(key)
    return counts


def _counted_there(store: UrlStore, keys: Sequence[str]) -> _Counts:
    counts = _Counts()
    for key, is_sound, size in _read_there(store, keys):
        counts.read += size
        if not is_sound:
            is_here = store.is_here(key)
            counts.only_here += is_here
            counts.lost += not is_here
    return counts


def _read_there(store: UrlStore, keys: Sequence[str]) -> Iterator[tuple[str, bool, int]]:
    """Yields each key, whether its network is sound behind the URL, and the bytes read of it."""
    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="check")
    try:
        found = zip(keys, pool.map(store.check_behind, keys), strict=True)
        for place, (key, (is_sound, size)) in enumerate(found, 1):
            _LOG.info("reading behind the URL: network %d of %d", place, len(keys))
            yield key, is_sound, size
    finally:
        pool.shutdown(cancel_futures=True)


def put_back(
    folder: Path, store: str | None = None, contents: bool = False
) -> tuple[int, int] | None:
    """Puts those of a study's networks that the copy on this machine has and its URL lacks.

    Args:
        folder: the study's.
        store: as of ``store_of``.
        contents: as of ``network_findings``; else names and sizes tell what is lacking.

    Returns:
        How many it put, and the bytes that it read there; None of a store in a folder.

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
    if not contents:
        return sum(map(opened.put_back, keys)), 0
    count, read = 0, 0
    for key, is_sound, size in _read_there(opened, keys):
        read += size
        count += not is_sound and opened.put_again(key)
    return count, read
