"""Files that are whole or absent: written beside their place, flushed to disk, then renamed."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from lttune.errors import StorageError
from lttune.store.failpoint import reach
from lttune.store.regular import regular_size
from lttune.store.temporary import remove_abandoned, temporary_beside


def flush(path: Path) -> None:
    """Waits until a file's or folder's bytes are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def write_atomically(path: Path) -> Iterator[Path]:
    """Yields a temporary path; what is written there replaces ``path`` in one step.

    What writers of the same path left there that were killed is removed before.

    Raises:
        StorageError: if it cannot be written, also by who writes it; what was there stays.
    """
    with write_errors(path):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_abandoned(path.parent, path.name)
        temporary = temporary_beside(path)
        try:
            yield temporary
            reach(f"{path.name}.written")
            flush(temporary)
            reach(f"{path.name}.flushed")
            temporary.replace(path)
            reach(f"{path.name}.named")
            flush(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def write_errors(path: Path) -> Iterator[None]:
    """Has an error of writing told in one line.

    Raises:
        StorageError: for an ``OSError`` inside, with the path, the reason, and what is free where
            that is the reason.
    """
    try:
        yield
    except OSError as error:
        room = f"; {_room(path)}" if error.errno in _FULL else ""
        raise StorageError(f"{path} cannot be written: {reason_of(error)}{room}") from error


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Errors that go away when there is room."""


def _room(path: Path) -> str:
    """Returns what is free where a path is, and what to do."""
    place = next(parent for parent in path.absolute().parents if parent.exists())
    there = os.statvfs(place)
    free = there.f_bavail * there.f_frsize / 1e6
    return (
        f"{free:,.1f} MB and {there.f_favail:,} files are free there; make room and run the same "
        "command again"
    )


def reason_of(error: Exception) -> str:
    """Returns what an error says, in one line."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split()) or type(error).__name__


def subfolder(root: Path, name: str) -> Path:
    """Makes a folder in another one, and returns it.

    Raises:
        StorageError: if it cannot be made, or is a link to somewhere else: what a stranger's folder
            links to is not written to.
    """
    path = root / name
    with write_errors(path):
        path.mkdir(parents=True, exist_ok=True)
    require_inside(path, root)
    return path


def require_inside(path: Path, root: Path) -> None:
    """Raises ``StorageError`` if a path leads out of a folder, be it by a link."""
    try:
        inside = path.resolve().is_relative_to(root.resolve())
    except RuntimeError:  # What Python below 3.13 makes of it.
        raise StorageError(f"{path} must lie in {root}, but its links lead in a circle") from None
    if not inside:
        raise StorageError(f"{path} must lie in {root}, but leads to {path.resolve()}")


def write_json(path: Path, values: Any) -> None:
    """Writes plain values as readable JSON in one atomic replacement."""
    with write_atomically(path) as temporary:
        write_draft(temporary, values)


def write_draft(path: Path, values: Any) -> None:
    """Writes JSON in a folder that does not count before it is flushed and renamed."""
    path.write_text(json.dumps(values, indent=1, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Returns the plain values of a JSON file.

    Raises:
        OSError: if it cannot be read.
        ValueError: if it is no JSON.
    """
    return parse_json(read_whole(path))


DEEPEST = 100
"""Lists and objects in each other that JSON may have; ours has ten at most, and Python walks on a
stack of a thousand calls."""
_TOO_DEEP = "its lists are nested too deeply"
_MAY_OVERFLOW = re.compile(rb"[0-9][eE]\+?[0-9]{3}|[0-9]{300}")
"""What a number looks like that may be beyond all floats."""


def parse_json(data: bytes) -> Any:
    """Returns the plain values of the bytes of a JSON file.

    Raises:
        ValueError: if they are no JSON; NaN and infinities, which ours never holds, are none, nor
            what lies deeper than ``DEEPEST``.
    """
    try:
        values = json.loads(data, parse_constant=_refuse)
        _require_shallow(values)
        if b"\\u" in data:
            # Half of a pair is no character: no output could be written of it.
            json.dumps(values, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    if _MAY_OVERFLOW.search(data):
        _require_finite(values)
    return values


def _require_shallow(values: Any) -> None:
    """Raises ``ValueError`` if who walks through the values would go too deep."""
    inside = [values]
    for _ in range(DEEPEST):
        inside = [
            one
            for outer in inside
            if isinstance(outer, dict | list)
            for one in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(one, dict | list)
        ]
        if not inside:
            return
    raise ValueError(_TOO_DEEP)


def _require_finite(values: Any) -> None:
    """Raises ``ValueError`` for what Python reads as an infinity."""
    try:
        json.dumps(values, allow_nan=False)
    except ValueError:
        raise ValueError("it holds a number that no float can, which is no JSON") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"it holds {constant}, which is no JSON")


def read_whole(path: Path) -> bytes:
    """Returns the bytes of a file; of a regular one, because a pipe would be waited for.

    Raises:
        OSError: if it cannot be read, or is none.
    """
    size = regular_size(path)
    try:
        return path.read_bytes()
    except MemoryError:
        raise OSError(errno.ENOMEM, f"its {size} bytes do not fit into memory") from None
