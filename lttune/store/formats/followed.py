"""A file and its journal, looked at again and again while their writer goes on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Generic, TypeVar

from lttune.store.formats.journal import journal_of, read_journaled
from lttune.store.formats.journal_lines import JournalLines, LinePlace
from lttune.store.regular import regular_size

T = TypeVar("T")
Moment = tuple[int, int, int]


def opened_moment(path: Path) -> Moment | None:
    """Returns what changes whenever a file is replaced or appended to; None if it cannot be told.

    Of a file that is opened a network file system tells how it is now, not how it was a minute ago.
    """
    try:
        regular_size(path)  # A pipe would be waited for.
        with path.open("rb", buffering=0) as file:
            found = os.fstat(file.fileno())
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


class Followed(Generic[T]):
    """A file with a journal, of which later looks read only what was appended since.

    Args:
        file: the file.
        read: as of ``read_journaled``.
    """

    def __init__(self, file: Path, read: Callable[[], tuple[T, str]]) -> None:
        self._file, self._read = file, read
        self._seen: tuple[Moment | None, Moment | None] = None, None
        """The file and its journal, at the latest before they were read."""
        self._last: LinePlace | None = None
        """The line of the journal that was read last; None if it is not of this file."""

    def whole(self) -> tuple[T, list[Any]]:
        """Returns all that file and journal hold; raises what ``read_journaled`` does."""

        def read() -> tuple[T, str]:
            self._seen = opened_moment(self._file), opened_moment(journal_of(self._file))
            return self._read()

        def gather(lines: Iterable[Any]) -> list[Any]:
            found = [*lines]
            self._last = lines.last if isinstance(lines, JournalLines) else None
            return found

        try:
            return read_journaled(self._file, read, gather=gather)
        except BaseException:
            self._seen = None, None
            raise

    def more(self) -> list[Any] | None:
        """Returns what was appended since the last look; None if all must be read.

        The line that was read last is read again: a writer takes back what it could not flush.

        Raises:
            StorageError: if the journal cannot be read.
            DamagedError: if what was appended is not what was written.
        """
        file, before = self._seen
        if file is None or opened_moment(self._file) != file:
            return None
        journal = opened_moment(journal_of(self._file))
        if journal == before:
            return []
        if journal is None or self._last is None:
            return None
        lines = JournalLines(journal_of(self._file), place=self._last)
        try:
            next(lines, None)
        except FileNotFoundError:
            return None
        if lines.last != self._last:
            return None
        found = [*lines]
        # Who writes the file anew takes its journal away.
        if opened_moment(self._file) != file:
            return None
        self._seen, self._last = (file, journal), lines.last
        return found
