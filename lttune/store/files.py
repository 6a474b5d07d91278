"""Files that are whole or absent: written beside their place, flushed to disk, then renamed."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lttune.errors import StorageError
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
        IsADirectoryError: before anything is written, if ``path`` is a folder.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned(path.parent, path.name)
    temporary = temporary_beside(path)
    try:
        yield temporary
        flush(temporary)
        temporary.replace(path)
        flush(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def write_errors(path: Path) -> Iterator[None]:
    """Has an error of writing told in one line.

    Raises:
        StorageError: for an ``OSError`` inside, with the path and the reason.
    """
    try:
        yield
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror or error}") from error


def write_json(path: Path, values: Any) -> None:
    """Writes plain values as readable JSON in one atomic replacement."""
    with write_atomically(path) as temporary:
        temporary.write_text(json.dumps(values, indent=1, allow_nan=False) + "\n")


def write_draft(path: Path, values: Any) -> None:
    """Writes JSON in a folder that does not count before it is flushed and renamed."""
    path.write_text(json.dumps(values, indent=1, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Returns the plain values of a JSON file."""
    return json.loads(path.read_text())
