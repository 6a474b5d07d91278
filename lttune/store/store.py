"""The cell store: one sealed directory for each trained network, named by what determines it.

A cell's key is the SHA-256 of its *inputs*: everything that determines its bytes and nothing else
(dataset, split, model, training hyperparameters, replicate, the mask's own lineage, numerics). A
cell is written under a temporary name, sealed with the SHA-256 of each of its files, flushed, then
renamed. A directory without a valid seal is no cell: it is set aside and computed again. Files are
JSON and safetensors only, never pickles.

A worker's store writes behind: while the disk takes a cell, the next one is computed. A kill can
thus lose what is being computed and what is being written, and both are computed again.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lttune.config import digest
from lttune.errors import NoLocksError, StorageError
from lttune.store import cells
from lttune.store.cells import Cell
from lttune.store.disk import mend_of
from lttune.store.failpoint import reach
from lttune.store.files import flush, reason_of, require_inside, subfolder, write_errors
from lttune.store.locks import acquire, file_lock
from lttune.store.temporary import DRAFTS, temporary_beside

SCHEMA = 1
"""Version of what a cell means; raise it when the same inputs would give other bytes."""

_KEY = re.compile("[0-9a-f]{64}")

_TOGETHER = 5
"""Files of a cell and their folder, which are flushed at once."""


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A cell of the store."""

    key: str
    cell: Cell
    reused: bool
    """True if it was there, False if it was computed for this call."""


Written = tuple[str, Mapping[str, Any], Cell]
"""Key, inputs and cell of what is to be sealed."""


class Store:
    """Cells under one folder; safe for any number of processes on machines that share it.

    Args:
        folder: theirs.
        behind: whether ``obtain`` returns while the cells that it computed are being written. Who
            asks for that calls ``settle`` in the end, has no second store of that folder in the
            same thread, and uses this one in one thread at a time.
        writes: whether what is computed is stored. False for who only reads, and may be allowed no
            more: then nothing is locked, written or moved.
    """

    def __init__(self, folder: Path, *, behind: bool = False, writes: bool = True) -> None:
        self.folder, self.behind, self.writes = folder, behind, writes
        self._flushers = ThreadPoolExecutor(_TOGETHER, thread_name_prefix="flush")
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="seal")
        self._unsealed: tuple[Future[None], set[str]] | None = None

    def path(self, key: str) -> Path:
        """Returns the directory of a cell.

        Raises:
            StorageError: if the key is none, or leads out of the store.
        """
        # A key may come from a stranger's table, where it can be any path.
        if not isinstance(key, str) or not _KEY.fullmatch(key):
            raise StorageError(f"a cell's key must be 64 hexadecimal digits, got {key!r:.80}")
        path = self.folder / key[:2] / key
        # Nothing else leads from a key to elsewhere.
        if any(one.is_symlink() for one in (path, path.parent, self.folder)):
            require_inside(path, self.folder)
        return path

    def obtain(
        self,
        inputs: Sequence[Mapping[str, Any]],
        compute: Callable[[list[int]], Sequence[Cell]],
    ) -> list[Stored]:
        """Returns the cells of several inputs; those that are missing are computed together.

        Two processes that need one cell at the same time compute it once: the second waits.

        Args:
            inputs: what determines each cell.
            compute: given the indices of the missing ones, returns their cells in that order.

        Raises:
            StorageError: if a cell cannot be read, locked or written; if cells are written behind,
                those of the call before.
        """
        keys = [cell_key(values) for values in inputs]
        if self._unsealed and not self._unsealed[1].isdisjoint(keys):
            self.settle()
        found = {key: self.read(key) for key in keys}
        missing = {key for key, cell in found.items() if cell is None}
        there = found.keys() - missing
        if missing:
            with contextlib.ExitStack() as locks:
                if self.writes:
                    # Sorted, so that two processes can never hold what the other waits for.
                    for key in sorted(missing):
                        locks.enter_context(self._locked(key))
                    there |= self._look_again(found, missing)
                todo = [keys.index(key) for key in dict.fromkeys(keys) if found[key] is None]
                if todo:
                    computed = list(zip(todo, compute(todo), strict=True))
                    reach("cell.computed")
                    found |= {keys[index]: cell for index, cell in computed}
                    writing = [(keys[i], inputs[i], cell) for i, cell in computed]
                    if self.writes and self.behind:
                        self._seal_behind(writing, locks)
                    elif self.writes:
                        self._seal(writing, locks)
        return [Stored(key=key, cell=_sure(found[key]), reused=key in there) for key in keys]

    def settle(self) -> None:
        """Waits until every cell that was obtained is sealed and on the disk.

        Raises:
            StorageError: if one cannot be written.
        """
        unsealed, self._unsealed = self._unsealed, None
        if unsealed and (error := unsealed[0].exception()):
            raise error

    @contextlib.contextmanager
    def _locked(self, key: str) -> Iterator[None]:
        locks = subfolder(self.folder, "locks")
        # The thread that seals the cell gives the lock back.
        lock = file_lock(locks / f"{key}.lock", in_one_thread=False)
        # Without locks, whoever needs the cell as well computes the same one.
        with contextlib.suppress(NoLocksError):
            acquire(lock)
        try:
            yield
        finally:
            lock.release()

    def _look_again(self, found: dict[str, Cell | None], missing: set[str]) -> set[str]:
        """Reads the cells that another process may have sealed meanwhile; returns which it did.

        What is no cell, and lies where one will be written, is moved to ``damaged/``.
        """
        for key in missing:
            found[key] = self.read(key)
            if found[key] is None:
                with write_errors(self.folder):
                    self._set_aside(self.path(key))
        return {key for key in missing if found[key] is not None}

    def read(self, key: str) -> Cell | None:
        """Returns a sealed cell, or None where there is none or a damaged one; changes nothing.

        Raises:
            StorageError: if the key is none, or the cell is there and cannot be read.
        """
        folder = self.path(key)
        try:
            return cells.read(folder, key)
        except OSError as error:
            raise StorageError(f"{folder} cannot be read: {reason_of(error)}") from error

    def _seal_behind(self, computed: Sequence[Written], locks: contextlib.ExitStack) -> None:
        """Has cells sealed and their locks given back; waits only for the cells before."""
        sealing = self._writer.submit(self._seal, computed, locks.pop_all())
        before, self._unsealed = self._unsealed, (sealing, {key for key, _, _ in computed})
        if before and (error := before[0].exception()):
            raise error

    def _seal(self, computed: Sequence[Written], locks: contextlib.ExitStack) -> None:
        with locks, write_errors(self.folder):
            for key, inputs, cell in computed:
                self._write(self.path(key), key, inputs, cell)

    def _write(self, final: Path, key: str, inputs: Mapping[str, Any], cell: Cell) -> None:
        draft = temporary_beside(subfolder(self.folder, DRAFTS) / key[:12])
        try:
            cells.write(draft, key, inputs, cell)
            reach("cell.drafted")
            # At once: each waits for the file system's next commit, which serves all of them.
            deque(self._flushers.map(flush, [draft, *draft.iterdir()]), maxlen=0)
            cells.make_place(final.parent)
            reach("cell.flushed")
            cells.give_name(draft, final, key)
            reach("cell.named")
        except BaseException:
            # On a full disk, what is left of it would keep the next cell out too.
            shutil.rmtree(draft, ignore_errors=True)
            raise
        flush(final.parent)

    def _set_aside(self, folder: Path) -> None:
        """Moves what is at a cell's place, which is locked if it can be, out of its way."""
        if os.path.lexists(folder):
            aside = subfolder(self.folder, "damaged") / f"{folder.name}.{time.time_ns()}"
            with contextlib.suppress(FileNotFoundError):  # Another one moves it, for want of locks.
                shutil.move(folder, aside)
                # For want of them too, it may have been sealed since it was looked at.
                if cells.read(aside, folder.name) is not None:
                    cells.give_name(aside, folder, folder.name)


def cell_key(inputs: Mapping[str, Any]) -> str:
    """Returns the key of the cell that inputs determine."""
    return digest({"schema": SCHEMA, **inputs})


def require_writable(folder: Path) -> None:
    """Checks that a store's folder can be written.

    Raises:
        StorageError: naming the folder and the reason.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        mark = temporary_beside(folder / "probe")
        # A new file: what a stranger put there as a link is not written through.
        mark.touch(exist_ok=False)
        mark.unlink()
    except OSError as error:
        text = f"cannot write to {folder}: {error.strerror or error}"
        text = "; ".join(filter(None, (text, mend_of(error, folder))))
        raise StorageError(text) from error


def _sure(cell: Cell | None) -> Cell:
    assert cell is not None
    return cell
