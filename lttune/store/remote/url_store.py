"""A store behind a URL, with a folder of this machine's before it that is read first."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lttune.errors import StorageError
from lttune.store import cells
from lttune.store.cells import Cell
from lttune.store.files import flush, subfolder, write_errors
from lttune.store.regular import caches
from lttune.store.remote import objects
from lttune.store.remote.bucket import Bucket
from lttune.store.store import Store, Written
from lttune.store.temporary import DRAFTS, temporary_beside

UNSENT = "unsent"
"""Folder with an empty file for each cell that is sealed here and perhaps not behind the URL."""


class UrlStore(Store):
    """Cells behind a URL.

    What is read is kept in the folder ``folder``; what is computed is sealed there first, and then
    put. A cell whose putting failed, or was ended, is put by who reads it next. Locks are those of
    the folder: two machines may compute one cell at a time, and put the same bytes.

    Args:
        url: of the store.
        behind: as of ``Store``.
        writes: as of ``Store``; the folder is this user's own, and keeps what is read all the same.
    """

    def __init__(self, url: str, *, behind: bool = False, writes: bool = True) -> None:
        super().__init__(cache_of(url), behind=behind, writes=writes)
        self._bucket = Bucket(url)

    def read(self, key: str) -> Cell | None:
        """Returns a sealed cell, or None where there is none or a damaged one.

        Raises:
            StorageError: if the key is none, or the cell cannot be read.
            UnreachableError: if it is not here, and the URL does not tell whether it is there.
        """
        cell = super().read(key)
        if cell is not None:
            if self.writes and self._unsent(key).exists():
                self._send(key)
            return cell
        found = objects.fetch_cell(self._bucket, key)
        if found is None:
            return None
        # A full disk keeps nobody from what was read.
        with contextlib.suppress(OSError, StorageError):
            self._keep(key, found)
        return cells.decoded(found, key)

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

    def _send(self, key: str) -> None:
        with write_errors(self.folder):
            objects.put_cell(self._bucket, key, self.path(key))
            self._unsent(key).unlink(missing_ok=True)

    def _unsent(self, key: str) -> Path:
        return subfolder(self.folder, UNSENT) / key

    def _keep(self, key: str, files: Mapping[str, bytes]) -> None:
        """Keeps a copy of what is sealed behind the URL; nothing is flushed."""
        final = self.path(key)
        if super().read(key) is None:
            # Without the lock: a copy is all that anybody could lose.
            self._set_aside(final)
        draft = temporary_beside(subfolder(self.folder, DRAFTS) / key[:12])
        draft.mkdir()
        try:
            for name, data in files.items():
                (draft / name).write_bytes(data)
            cells.make_place(final.parent)
            cells.give_name(draft, final, key)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise


def cache_of(url: str) -> Path:
    """Returns the folder of this machine in which a store behind a URL is kept.

    It lies in the user's folder of caches, and may be removed when no study runs and its folder
    ``unsent`` is empty: what that names is nowhere else.
    """
    return caches() / "stores" / hashlib.sha256(url.encode()).hexdigest()[:16]
