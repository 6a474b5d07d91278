"""Where a store is, in a folder or behind a URL: it is opened, and asked whether it can be used."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

from lttune.config.passwords import masked_uri
from lttune.errors import StorageError, UnreachableError
from lttune.store.disk import Room, existing, free_room
from lttune.store.files import reason_of
from lttune.store.locks import has_locks
from lttune.store.remote.bucket import Bucket
from lttune.store.remote.url import endpoint_here, is_url, variables_of
from lttune.store.remote.url_store import UrlStore, cache_of
from lttune.store.store import Store, require_writable
from lttune.store.temporary import DRAFTS, remove_abandoned, temporary_beside

_FOR_NODES = "#"
"""Stands between a URL, which has none, the name of a mark there, and the driver's server."""


def store_at(where: str, *, behind: bool = False, writes: bool = True) -> Store:
    """Returns the store at a place.

    Args:
        where: its folder or its URL.
        behind: as of ``Store``.
        writes: as of ``Store``.
    """
    if is_url(where):
        return UrlStore(where, behind=behind, writes=writes)
    return Store(Path(where), behind=behind, writes=writes)


def local_folder(where: str) -> Path:
    """Returns the folder that cells of a store are written to on this machine."""
    return cache_of(where) if is_url(where) else Path(where)


def absolute(where: str) -> str:
    """Returns a store's place as another process finds it."""
    return where if is_url(where) else str(Path(where).absolute())


def require_store(where: str) -> None:
    """Checks that a store can be written and read, and removes what killed processes left there.

    Raises:
        StorageError: if its folder, or that which keeps a copy of it, cannot be written.
        UnreachableError: if its URL cannot be used.
    """
    folder = local_folder(where)
    require_writable(folder)
    for one in (folder, folder / DRAFTS):
        remove_abandoned(one)
    _require_reached(where)


def require_usable(where: str) -> bool:
    """Checks what ``require_store`` does, and leaves all as it is; returns whether it is there.

    Of a store behind a URL there is always what the URL has; its copy here may yet be made.

    Raises:
        StorageError: if its folder, or that which keeps a copy of it, cannot be written.
        UnreachableError: if its URL cannot be used.
    """
    folder = local_folder(where)
    is_there = os.path.lexists(folder)
    if is_there:
        require_writable(folder)
    elif not os.access(place := existing(folder), os.W_OK | os.X_OK) or not place.is_dir():
        raise StorageError(f"cannot make {folder}: {place} is no folder that can be written to")
    _require_reached(where)
    return is_there or is_url(where)


def _require_reached(where: str) -> None:
    if is_url(where):
        with marked(where) as mark:
            _require_mark(mark)


def absence(where: str) -> str:
    """Returns what is not there of a store in which nothing was found; "" if it is there.

    Raises:
        UnreachableError: if its URL does not tell.
    """
    folder = local_folder(where)
    if not is_url(where):
        return "" if folder.is_dir() else "there is no such folder"
    lacks = Bucket(where).absence()
    # What was put there once may be lost, and still be in the copy on this machine.
    return "" if any(folder.glob("??/*")) else lacks


def remarks(where: str) -> tuple[str, ...]:
    """Returns what a person should know of a store that can be used.

    Raises:
        StorageError: if that cannot be told.
    """
    folder = local_folder(where)
    if has_locks(folder):
        return ()
    text = "has no locks: processes that need one network at a time all train it, to the same bytes"
    return (f"{folder} {text}",)


@contextlib.contextmanager
def marked(where: str) -> Iterator[str]:
    """Yields what another node finds while it sees this store: a file, or a URL and a name there.

    Raises:
        OSError: if a folder takes no mark.
        UnreachableError: if a URL takes none.
    """
    if not is_url(where):
        mark = temporary_beside(Path(where).absolute() / "mark")
        mark.write_text("")
        try:
            yield str(mark)
        finally:
            mark.unlink(missing_ok=True)
        return
    bucket, name = Bucket(where), f"mark-{uuid.uuid4().hex}"
    # Asked first for what is not there: who may not list is told of that too.
    bucket.get(name)
    bucket.put(name, name.encode())
    try:
        yield _FOR_NODES.join((where, name, masked_uri(endpoint_here(where))))
    finally:
        bucket.remove(name)


def url_trouble(mark: str) -> str:
    """Returns what this node cannot do with the store of a mark behind a URL; "" if nothing."""
    where, _, drivers = mark.split(_FOR_NODES, 2)
    try:
        _require_mark(mark)
        require_store(where)
    except StorageError as error:
        return f"says: {reason_of(error)}{_other_server(where, drivers)}"
    return ""


def _other_server(where: str, drivers: str) -> str:
    """Returns what to do where this node's environment names another server than the driver's."""
    mine, variables = masked_uri(endpoint_here(where)), " or ".join(variables_of(where))
    if mine == drivers:
        return ""
    here, there = (repr(one) if one else "not set" for one in (mine, drivers))
    return f"; {variables} is {here} there, of the driver {there}: start Ray with the driver's"


def free_behind(mark: str) -> Room:
    """Returns what is free where this node keeps its copy of the store of a mark behind a URL.

    Raises:
        OSError: if that cannot be asked.
    """
    return free_room(local_folder(mark.partition(_FOR_NODES)[0]))


def _require_mark(mark: str) -> None:
    where, name, _ = mark.split(_FOR_NODES, 2)
    if Bucket(where).get(name) != name.encode():
        raise UnreachableError(
            f"{where} cannot be used: it does not have what was just put there; see that it is "
            "the same store for all"
        )
