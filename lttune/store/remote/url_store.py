"""A store behind a URL, with a folder of this machine's before it that is read first."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lttune.errors import NoLocksError, StorageError
from lttune.store import cells
from lttune.store.cells import Cell
from lttune.store.files import flush, subfolder, write_errors
from lttune.store.locks import acquire, file_lock
from lttune.store.regular import caches
from lttune.store.remote import objects
from lttune.store.remote.bucket import Bucket
from lttune.store.remote.url import endpoint_here
from lttune.store.store import Store, Written
from lttune.store.temporary import DRAFTS, temporary_beside

UNSENT = "unsent"
"""Folder with an empty file for each cell that is sealed here and perhaps not behind the URL."""


class UrlStore(Store):
    """Cells behind a URL.

    What is read is kept in the folder ``folder``; what is computed is sealed there first, and then
    put. A cell whose putting failed, or was ended, or that is lost behind the URL, is put by who
    reads it next. Locks are those of the folder: two machines may compute one cell at a time, and
    put the same bytes.

    Args:
        url: of the store.
        behind: as of ``Store``.
        writes: as of ``Store``; the folder is this user's own, and keeps what is read all the same.
    """

    def __init__(self, url: str, *, behind: bool = False, writes: bool = True) -> None:
        super().__init__(cache_of(url), behind=behind, writes=writes)
        self._bucket = Bucket(url)
        self._listing, self._known = objects.Listing(self._bucket), set[str]()

    def read(self, key: str) -> Cell | None:
        """Returns a sealed cell, or None where there is none or a damaged one.

        Raises:
            StorageError: if the key is none, or the cell cannot be read.
            UnreachableError: if the URL does not tell whether it is there, or does not take it.
        """
        cell = super().read(key)
        if cell is not None:
            if self.writes:
                self.put_back(key)
            return cell
        found = objects.fetch_cell(self._bucket, key)
        if found is None:
            return None
        self._known.add(key)
        # Neither a full disk nor who is about to write it here keeps anybody from what was read.
        with contextlib.suppress(OSError, StorageError):
            self._keep(key, found)
        return cells.decoded(found, key)

    def put_back(self, key: str) -> bool:
        """Puts a cell that is sound in the folder and not behind the URL; returns whether it did.

        Raises:
            StorageError: if the cell cannot be read.
            UnreachableError: if the URL does not tell, or does not take it.
        """
        return not self.is_behind(key) and self._send(key)

    def is_behind(self, key: str) -> bool:
        """Returns whether a cell that is sound in the folder is behind the URL too.

        Asked for no more, as of what this process put or fetched, it is taken to stay there.

        Raises:
            StorageError: if the cell cannot be read.
            UnreachableError: if the URL does not tell.
        """
        # Whose putting was ended may have put all but the seal, beside one of another machine.
        if key not in self._known and not self._unsent(key).exists():
            with contextlib.suppress(OSError):  # Another process sets it aside just now.
                if self._listing.has(key, self.path(key)):
                    self._known.add(key)
        return key in self._known

    def _write(self, final: Path, key: str, inputs: Mapping[str, Any], cell: Cell) -> None:
        mark = self._unsent(key)
        mark.touch()
        flush(subfolder(self.folder, UNSENT))
        super()._write(final, key, inputs, cell)

    def _seal(self, computed: Sequence[Written], locks: contextlib.ExitStack) -> None:
        with locks:
            # All of them first: what is lost of the URL loses none that was computed.
            super()._seal(computed, contextlib.ExitStack())
            for key, _, _ in computed:
                self._send(key)

    def _send(self, key: str) -> bool:
        with write_errors(self.folder):
            # What is not sound is computed again, or fetched, by who needs it next.
            if not objects.put_cell(self._bucket, key, self.path(key)):
                return False
            self._unsent(key).unlink(missing_ok=True)
        self._known.add(key)
        return True

    def _unsent(self, key: str) -> Path:
        return subfolder(self.folder, UNSENT) / key

    def _keep(self, key: str, files: Mapping[str, bytes]) -> None:
        """Keeps a copy of what is sealed behind the URL; nothing is flushed.

        Raises:
            OSError: if it cannot be written, or another process is about to write it.
            StorageError: likewise.
        """
        final = self.path(key)
        draft = temporary_beside(subfolder(self.folder, DRAFTS) / key[:12])
        draft.mkdir()
        try:
            for name, data in files.items():
                (draft / name).write_bytes(data)
            cells.make_place(final.parent)
            with self._damage_aside(key):
                cells.give_name(draft, final, key)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise

    @contextlib.contextmanager
    def _damage_aside(self, key: str) -> Iterator[None]:
        """Has a cell's place free inside, but for a sound one; who else has its lock goes first."""
        if not os.path.lexists(self.path(key)):
            yield
            return
        lock = file_lock(subfolder(self.folder, "locks") / f"{key}.lock")
        with contextlib.suppress(NoLocksError):
            acquire(lock, timeout_s=0)
        try:
            if super().read(key) is None:
                self._set_aside(self.path(key))
            yield
        finally:
            lock.release()


def cache_of(url: str) -> Path:
    """Returns the folder of this machine in which a store behind a URL is kept.

    It lies in the user's folder of caches, and may be removed when no study runs and its folder
    ``unsent`` is empty: what that names is nowhere else. Where the environment names the server,
    that is part of what tells one bucket from another.
    """
    whole = " ".join(filter(None, (url, endpoint_here(url))))
    return caches() / "stores" / hashlib.sha256(whole.encode()).hexdigest()[:16]
