"""Files that are whole or absent: written beside their place, flushed to disk, then renamed."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from lttune.errors import REFUSING, StorageError, UnreachableError, causes
from lttune.store.disk import mend_of
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
    with write_errors(path), _written_beside(path) as temporary:
        yield temporary
        reach(f"{path.name}.written")
        flush(temporary)
        reach(f"{path.name}.flushed")
        temporary.replace(path)
        reach(f"{path.name}.named")
        flush(path.parent)


@contextlib.contextmanager
def write_once(path: Path) -> Iterator[Path]:
    """Yields a temporary path; what is written there is whole at ``path`` afterwards.

    Of several writers at once one is the first, and the others are refused. Where a file system has
    no links, who is killed as it takes the name leaves an empty file there, to be removed by hand.

    Raises:
        FileExistsError: if something is there already, be it a link to nothing; it stays.
        StorageError: if it cannot be written, also by who writes it.
    """
    with write_errors(path), _written_beside(path) as temporary:
        yield temporary
        reach(f"{path.name}.written")
        flush(temporary)
        reach(f"{path.name}.flushed")
        is_first = _given_its_name(temporary, path)
        reach(f"{path.name}.named")
        flush(path.parent)
    if not is_first:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))


def require_absent(path: Path, flag: str = "--out") -> None:
    """Raises ``StorageError`` if there is something at a path already, be it a link to nothing.

    Args:
        path: that is to be written.
        flag: of the command, which names it.
    """
    if os.path.lexists(path):
        raise StorageError(f"{path} is there already: move it away, or give another {flag}")


def _given_its_name(temporary: Path, path: Path) -> bool:
    """Gives a file its name unless something has it; returns whether it got it."""
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        return False
    except OSError:  # Not every file system has links: the name is taken, then filled.
        try:
            path.open("xb").close()
        except FileExistsError:
            return False
        try:
            temporary.replace(path)
        except OSError:
            path.unlink(missing_ok=True)  # Empty, it would keep the next one from being written.
            raise
    return True


@contextlib.contextmanager
def _written_beside(path: Path) -> Iterator[Path]:
    """Yields a temporary path that is gone afterwards, and those that killed writers left are."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned(path.parent, path.name)
    temporary = temporary_beside(path)
    try:
        yield temporary
    except BaseException:
        with contextlib.suppress(OSError):  # Why it was not written says more.
            temporary.unlink(missing_ok=True)
        raise
    temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def write_errors(path: Path) -> Iterator[None]:
    """Has an error of writing told in one line.

    Raises:
        StorageError: for an ``OSError`` inside (``not_written``).
    """
    try:
        yield
    except OSError as error:
        raise not_written(path, error) from error


def not_written(path: Path, error: OSError) -> StorageError:
    """Returns the error of what cannot be written: the path, the reason, and what to do."""
    text = f"{path} cannot be written: {reason_of(error)}"
    return StorageError("; ".join(filter(None, (text, mend_of(error, path)))))


def refused_write(error: BaseException) -> StorageError | None:
    """Returns the error of a disk or URL that takes nothing more behind one; None if that is none.

    Libraries wrap it in errors of their own, which say less.
    """
    found = list(causes(error))
    if gone := next((one for one in found if isinstance(one, UnreachableError)), None):
        return gone
    refused = (one for one in found if isinstance(one, OSError) and one.errno in REFUSING)
    if (first := next(refused, None)) is None:
        return None
    told = next((one for one in found if isinstance(one, StorageError)), None)
    # What is written without a name of its own is a temporary file.
    return told or not_written(Path(first.filename or tempfile.gettempdir()), first)


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
    if path.is_symlink():  # Nothing else leads from a plain name to elsewhere.
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


@contextlib.contextmanager
def kept_aside(path: Path) -> Iterator[Path]:
    """Keeps what is at a path, which is replaced inside, beside it under a name of its own.

    That is ``NAME.damaged``, or ``NAME.damaged-2`` and so on where that is taken: what was kept
    before stays. The path has its file at every moment; if it is not replaced, nothing is kept.

    Raises:
        StorageError: if it cannot be kept; it is not replaced then.
    """
    numbers = map("-{}".format, itertools.count(2))
    names = (f"{path.name}.damaged{number}" for number in itertools.chain([""], numbers))
    aside = next(one for one in map(path.with_name, names) if not os.path.lexists(one))
    with write_atomically(aside) as copy:
        shutil.copyfile(path, copy)
    before = path.stat()
    try:
        yield aside
    finally:
        with contextlib.suppress(OSError):
            if os.path.samestat(before, path.stat()):
                aside.unlink()


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
