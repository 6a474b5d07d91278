"""The records of cells without their tensors, from a store in a folder or behind a URL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lttune.errors import StorageError
from lttune.store import cells
from lttune.store.files import reason_of
from lttune.store.remote import objects
from lttune.store.remote.bucket import Bucket
from lttune.store.remote.places import store_at
from lttune.store.remote.url import is_url


def record_reader(where: str) -> Callable[[str], dict[str, Any] | None]:
    """Returns what gives the record of a cell by its key, None where there is no sound one.

    Threads may ask it. Of what is behind a URL alone two objects are fetched, and nothing is kept:
    the copy here has whole cells. It raises ``StorageError`` for a key that is none and for what
    cannot be read, ``UnreachableError`` where the URL does not tell.

    Args:
        where: the store's folder or URL.
    """
    store = store_at(where, writes=False)
    bucket = Bucket(where) if is_url(where) else None

    def record(key: str) -> dict[str, Any] | None:
        folder = store.path(key)
        try:
            found = cells.read_record(folder, key)
        except OSError as error:
            raise StorageError(f"{folder} cannot be read: {reason_of(error)}") from error
        return objects.fetch_record(bucket, key) if found is None and bucket else found

    return record
