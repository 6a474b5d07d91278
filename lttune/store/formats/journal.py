"""A journal: what changed since a file was written whole, a line each, appended and flushed.

To write a file anew for each change costs the square of its length. A journal names the digest of
the file that it goes on from, so that one that was left beside a newer file counts for nothing.
Each line carries a digest of itself and of all before it: whoever is killed in the middle of a line
leaves half of one at the end, which counts for nothing; anything else is damage.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from io import RawIOBase
from pathlib import Path
from typing import Any, TypeVar

from lttune.errors import DamagedError, StorageError
from lttune.store.failpoint import reach
from lttune.store.files import flush, write_atomically, write_errors
from lttune.store.formats.journal_lines import JournalLines, digest_of
from lttune.store.sealed import FILES_SCHEMA, require_known
from lttune.store.temporary import remove_abandoned

T = TypeVar("T")
Since = TypeVar("Since")

_MOST_READ = 20
"""Times that a file is read that is written anew meanwhile, which is seldom."""


def journal_of(file: Path) -> Path:
    """Returns the journal that lies beside a file."""
    return file.with_suffix(".journal")


def size_with_journal(file: Path) -> int:
    """Returns the bytes of a file that is there and of its journal, if any.

    Raises:
        OSError: if it cannot be told.
    """
    size = file.stat().st_size
    with contextlib.suppress(FileNotFoundError):
        size += journal_of(file).stat().st_size
    return size


class Journal:
    """The journal of a file that was just written.

    Args:
        file: the file.
        digest: its own (``lttune.store.sealed``).
        has_infinities: whether values may hold infinities and NaN.

    Raises:
        StorageError: if it cannot be written.
    """

    def __init__(self, file: Path, digest: str, has_infinities: bool = False) -> None:
        self._path, self._has_infinities = journal_of(file), has_infinities
        text, self._chain = self._line({"schema": FILES_SCHEMA, "file": digest}, "")
        with write_atomically(self._path) as temporary:
            temporary.write_bytes(text)
        self.size = len(text)
        """Bytes that it has."""

    @property
    def is_whole(self) -> bool:
        """Whether it is there as it was left: others may have removed or cut it."""
        try:
            return self._path.stat().st_size >= self.size
        except OSError:
            return False

    def append(self, values: Iterable[Any], is_flushed: bool = True) -> None:
        """Appends plain values, a line each.

        Args:
            values: the values; without any, what was appended before is flushed.
            is_flushed: whether they are on the disk afterwards, with all that was appended before;
                else a process that is killed loses none, but a machine that loses its power does.

        Raises:
            StorageError: if they cannot be written; nothing is appended then.
            ValueError: if one is no plain value.
        """
        lines, chain = list[bytes](), self._chain
        for value in values:
            line, chain = self._line(value, chain)
            lines.append(line)
        text = b"".join(lines)
        with write_errors(self._path):
            reach(f"{self._path.name}.appended")
            with self._path.open("r+b", buffering=0) as file:
                self._append(file, text, is_flushed)
        self.size, self._chain = self.size + len(text), chain

    def _append(self, file: RawIOBase, text: bytes, is_flushed: bool) -> None:
        try:
            file.truncate(self.size)  # Of what failed before, a disk may have kept half.
            file.seek(self.size)
            left = memoryview(text)
            while left:
                left = left[file.write(left) or 0 :]
            reach(f"{self._path.name}.written")
            if is_flushed:
                os.fsync(file.fileno())
        except OSError:
            with contextlib.suppress(OSError):
                file.truncate(self.size)
            raise

    def _line(self, value: Any, chain: str) -> tuple[bytes, str]:
        """Returns a line with the digest that the next one goes on from."""
        text = json.dumps(value, separators=(",", ":"), allow_nan=self._has_infinities)
        digest = digest_of(chain, text.encode())
        return f"{digest} {text}\n".encode(), digest


def read_journaled(
    file: Path,
    read: Callable[[], tuple[T, str]],
    has_infinities: bool = False,
    gather: Callable[[Iterable[Any]], Since] = list[Any],
) -> tuple[T, Since]:
    """Returns what a file holds and what its journal says since, while its writer goes on.

    Args:
        file: the file.
        read: reads it: what it holds, and its digest; without one it has no journal.
        has_infinities: as of ``Journal``.
        gather: takes what the lines of the journal say; only what it returns stays in memory.

    Raises:
        StorageError: if the journal cannot be read, or the file is written too often to be.
        DamagedError: if the journal is not what was written.
        RefusedError: if a newer lttune wrote it.
        Exception: what ``read`` raises.
    """
    damage: DamagedError | None = None
    for _ in range(_MOST_READ):
        before, journal = _moment(file), _moment(journal_of(file))
        try:
            found, digest = read()
            lines = journaled_since(file, digest, has_infinities) if digest else ()
            since = None if lines is None else gather(lines)
        except DamagedError as error:
            # Of a line that a disk kept half of, and that was written again meanwhile, the reader
            # may have had the one half, and then the other of another.
            if (_moment(file), _moment(journal_of(file))) == (before, journal):
                raise
            damage = error
            continue
        # Of another file: an older one, which was left, unless this one was read too early, which
        # a network file system tells by reading alone.
        if since is None and read()[1] == digest:
            since = gather(())
        # Who writes the file anew takes its journal away: what was read may lack both.
        if since is not None and _moment(file) == before:
            return found, since
    if damage is not None:
        raise damage
    raise StorageError(f"{file} cannot be read: it is written anew all the time")


def remove_journal(file: Path) -> None:
    """Removes the journal of a file that was written whole since; its bytes are no longer needed.

    Raises:
        StorageError: if it cannot be removed.
    """
    path = journal_of(file)
    with write_errors(path):
        remove_abandoned(path.parent, path.name)
        path.unlink(missing_ok=True)
        flush(path.parent)


def journaled_since(file: Path, digest: str, has_infinities: bool = False) -> Iterator[Any] | None:
    """Returns what was appended since a file was written, read as it is taken.

    For who knows that nobody writes both meanwhile.

    Args:
        file: the file.
        digest: that it carries.
        has_infinities: as of ``Journal``.

    Returns:
        None if the journal goes on from another file.

    Raises:
        StorageError: if the journal cannot be read.
        DamagedError: if it is not what was written; of what was appended only where that is taken.
        RefusedError: if a newer lttune wrote it.
    """
    path = journal_of(file)
    lines = JournalLines(path, has_infinities)
    try:
        head = next(lines, None)
    except FileNotFoundError:
        return iter(())
    if not isinstance(head, dict) or not isinstance(head.get("file"), str):
        raise DamagedError(f"{path} is damaged: it does not say what it goes on from")
    require_known(path, head.get("schema"), is_sealed=True, names_study=False)
    return lines if head["file"] == digest else None


def _moment(path: Path) -> tuple[int, int, int] | None:
    """Returns what changes whenever a file is replaced; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
