"""The cell store: one sealed directory for each trained network, named by what determines it.

A cell's key is the SHA-256 of its *inputs*: everything that determines its bytes and nothing else
(dataset, split, model, training hyperparameters, replicate, the mask's own lineage, numerics). A
cell is written under a temporary name, sealed with the SHA-256 of each of its files, flushed, then
renamed. A directory without a valid seal is no cell: it is set aside and computed again. Files are
JSON and safetensors only, never pickles.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock
from safetensors.torch import load_file, save_file
from torch import Tensor

from lttune.config import digest
from lttune.errors import StorageError
from lttune.files import flush, read_json, write_draft

SCHEMA = 1
"""Version of what a cell means; raise it when the same inputs would give other bytes."""

_TOGETHER = 5
"""Files of a cell and their folder, which are flushed at once."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One trained network: its record, and the tensors that the next level needs."""

    record: dict[str, Any]
    """Plain values: ``measures`` and ``history``; the same bytes whenever it is computed."""
    tensors: dict[str, Tensor] = field(default_factory=dict)
    times: dict[str, Any] = field(default_factory=dict)
    """Wall seconds, and when it was trained; kept apart because they differ every time."""


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A cell of the store."""

    key: str
    cell: Cell
    reused: bool
    """True if it was there, False if it was computed for this call."""


class Store:
    """Cells under one folder; safe for any number of processes on machines that share it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._flushers = ThreadPoolExecutor(_TOGETHER, thread_name_prefix="flush")

    def path(self, key: str) -> Path:
        """Returns the directory of a cell."""
        return self.folder / key[:2] / key

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
            StorageError: if a cell cannot be locked or written.
        """
        keys = [digest({"schema": SCHEMA, **values}) for values in inputs]
        found = {key: self.read(key) for key in keys}
        missing = {key for key, cell in found.items() if cell is None}
        there = found.keys() - missing
        if missing:
            with contextlib.ExitStack() as locks:
                # Sorted, so that two processes can never hold what the other waits for.
                for key in sorted(missing):
                    locks.enter_context(self._locked(key))
                there |= self._look_again(found, missing)
                todo = [keys.index(key) for key in dict.fromkeys(keys) if found[key] is None]
                for index, cell in zip(todo, compute(todo) if todo else (), strict=True):
                    self._seal(keys[index], inputs[index], cell)
                    found[keys[index]] = cell
        return [Stored(key=key, cell=_sure(found[key]), reused=key in there) for key in keys]

    @contextlib.contextmanager
    def _locked(self, key: str) -> Iterator[None]:
        with self._writing():
            (self.folder / "locks").mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.folder / "locks" / f"{key}.lock")
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(f"cannot write the cell store {self.folder}: {error}") from error

    def _look_again(self, found: dict[str, Cell | None], missing: set[str]) -> set[str]:
        """Reads the cells that another process may have sealed meanwhile; returns which it did."""
        for key in missing:
            found[key] = self.read(key)
        return {key for key in missing if found[key] is not None}

    def read(self, key: str) -> Cell | None:
        """Returns a sealed cell, or None; an invalid one is moved to ``damaged/``.

        Raises:
            StorageError: if an invalid one cannot be moved.
        """
        folder = self.path(key)
        if not folder.exists():
            return None
        files = self._sealed_files(folder, key)
        if files is None:
            with self._writing():
                self._set_aside(folder)
            return None
        tensors = folder / "tensors.safetensors"
        return Cell(
            record=read_json(folder / "record.json"),
            tensors=load_file(tensors) if tensors.name in files else {},
            times=read_json(folder / "times.json"),
        )

    def _sealed_files(self, folder: Path, key: str) -> set[str] | None:
        """Returns the names of a cell's files, or None if its seal or a file is not sound."""
        try:
            seal = read_json(folder / "seal.json")
            files: dict[str, str] = seal["files"]
            sound = seal["key"] == key and {"record.json", "times.json"} <= files.keys()
            sound = sound and all(_sha256(folder / name) == sha for name, sha in files.items())
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return set(files) if sound else None

    def _seal(self, key: str, inputs: Mapping[str, Any], cell: Cell) -> None:
        with self._writing():
            self._write(self.path(key), key, inputs, cell)

    def _write(self, final: Path, key: str, inputs: Mapping[str, Any], cell: Cell) -> None:
        draft = self.folder / "drafts" / uuid.uuid4().hex
        try:
            self._draft(draft, key, inputs, cell)
            final.parent.mkdir(parents=True, exist_ok=True)
            draft.rename(final)
        except BaseException:
            # On a full disk, what is left of it would keep the next cell out too.
            shutil.rmtree(draft, ignore_errors=True)
            raise
        flush(final.parent)

    def _draft(self, draft: Path, key: str, inputs: Mapping[str, Any], cell: Cell) -> None:
        draft.mkdir(parents=True)
        write_draft(draft / "record.json", cell.record)
        write_draft(draft / "times.json", cell.times)
        if cell.tensors:
            save_file(cell.tensors, draft / "tensors.safetensors")
        files = {path.name: _sha256(path) for path in sorted(draft.iterdir())}
        write_draft(draft / "seal.json", {"key": key, "files": files, "inputs": dict(inputs)})
        # At once, because each waits for the file system's next commit, which serves all of them.
        deque(self._flushers.map(flush, [draft, *draft.iterdir()]), maxlen=0)

    def _set_aside(self, folder: Path) -> None:
        aside = self.folder / "damaged" / f"{folder.name}.{time.time_ns()}"
        aside.parent.mkdir(parents=True, exist_ok=True)
        # Another process may have set it aside in this moment: then there is nothing to do.
        if folder.exists():
            shutil.move(folder, aside)


def probe(folder: Path) -> None:
    """Checks that a store's folder can be written.

    Raises:
        StorageError: naming the folder and the reason.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        mark = folder / f".probe-{os.getpid()}"
        mark.write_text("")
        mark.unlink()
    except OSError as error:
        raise StorageError(f"cannot write to {folder}: {error.strerror or error}") from error


def _sure(cell: Cell | None) -> Cell:
    assert cell is not None
    return cell


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
