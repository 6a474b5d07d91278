"""Where a store is, in a folder or behind a URL: it is opened, and asked whether it can be used."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path

from lttune.errors import StorageError, UnreachableError
from lttune.store.files import reason_of
from lttune.store.locks import has_locks
from lttune.store.remote.bucket import Bucket
from lttune.store.remote.url import is_url
from lttune.store.remote.url_store import UrlStore, cache_of
from lttune.store.store import Store, require_writable
from lttune.store.temporary import DRAFTS, remove_abandoned, temporary_beside

_FOR_NODES = "#"
"""Stands between a URL, which has none, and the name of a mark there."""


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
    if is_url(where):
        with marked(where) as mark:
            _require_mark(mark)


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
        yield f"{where}{_FOR_NODES}{name}"
    finally:
        bucket.remove(name)


def url_trouble(mark: str) -> str:
    """Returns what this node cannot do with the store of a mark behind a URL; "" if nothing."""
    where = mark.partition(_FOR_NODES)[0]
    try:
        _require_mark(mark)
        require_store(where)
    except StorageError as error:
        return f"says: {reason_of(error)}"
    return ""


def _require_mark(mark: str) -> None:
    where, _, name = mark.partition(_FOR_NODES)
    if Bucket(where).get(name) != name.encode():
        raise UnreachableError(
            f"{where} cannot be used: it does not have what was just put there; see that it is "
            "the same store for all"
        )
