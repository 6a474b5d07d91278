"""A journal: what changed since a file was written whole, a line each, appended and flushed.

To write a file anew for each change costs the square of its length. A journal names the digest of
the file that it goes on from, its base, so that one that was left beside a newer base counts for
nothing. Each line carries a digest of itself and of all before it: whoever is killed in the middle
of a line leaves half of one at the end, which counts for nothing; anything else is damage.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from lttune.errors import DamagedError, StorageError
from lttune.store.failpoint import reach
from lttune.store.files import flush, reason_of, write_atomically, write_errors
from lttune.store.plain_json import parse_json
from lttune.store.sealed import FILES_SCHEMA, read_bytes, require_known

T = TypeVar("T")

_DIGITS = 32
"""Characters of a line's digest: 128 bits."""
_MOST_READ = 20
"""Times that a file is read that is written anew meanwhile, which is seldom."""


def journal_of(base: Path) -> Path:
    """Returns the journal that lies beside a file."""
    return base.with_suffix(".journal")


def size_with_journal(base: Path) -> int:
    """Returns the bytes of a file that is there and of its journal, if any.

    Raises:
        OSError: if it cannot be told.
    """
    size = base.stat().st_size
    with contextlib.suppress(FileNotFoundError):
        size += journal_of(base).stat().st_size
    return size


class Journal:
    """The journal of a file that was just written.

    Args:
        base: the file.
        digest: its own (``lttune.store.sealed``).
    """

    def __init__(self, base: Path, digest: str) -> None:
        self._path = journal_of(base)
        text, self._chain = _line({"schema": FILES_SCHEMA, "base": digest}, "")
        with write_atomically(self._path) as temporary:
            temporary.write_bytes(text)
        self.size = len(text)
        """Bytes that it has."""

    def append(self, values: Iterable[Any], is_flushed: bool = True) -> None:
        """Appends plain values, a line each.

        Args:
            values: they may hold infinities and NaN.
            is_flushed: whether they are on the disk afterwards, with all that was appended before;
                else a process that is killed loses none, but a machine that loses its power does.

        Raises:
            StorageError: if they cannot be written; nothing is appended then.
        """
        text, chain = b"", self._chain
        for value in values:
            line, chain = _line(value, chain)
            text += line
        with write_errors(self._path), self._path.open("r+b") as file:
            try:
                file.truncate(self.size)  # Of what failed before, a disk may have kept half.
                file.seek(self.size)
                file.write(text)
                file.flush()
                reach(f"{self._path.name}.written")
                if is_flushed:
                    os.fsync(file.fileno())
            except OSError:
                with contextlib.suppress(OSError):
                    file.truncate(self.size)
                raise
        self.size, self._chain = self.size + len(text), chain


def read_journal(base: Path, digest: str) -> list[Any]:
    """Returns what was appended since a file was written; nothing without a journal of it.

    Raises:
        StorageError: if it cannot be read.
        DamagedError: if it is not what was written.
        RefusedError: if a newer lttune wrote it.
    """
    path = journal_of(base)
    try:
        data = read_bytes(path)
    except FileNotFoundError:
        return []
    lines = _lines(path, data)
    head = next(lines, None)
    if not isinstance(head, dict) or not isinstance(head.get("base"), str):
        raise DamagedError(f"{path} is damaged: it does not say what it goes on from")
    require_known(path, head.get("schema"), is_sealed=True, names_study=False)
    return list(lines) if head["base"] == digest else []


def read_journaled(base: Path, read: Callable[[], tuple[T, str]]) -> tuple[T, list[Any]]:
    """Returns what a file holds and what its journal says since, while its writer goes on.

    Args:
        base: the file.
        read: reads it: what it holds, and its digest; without one it has no journal.

    Raises:
        StorageError: if the journal cannot be read, or the file is written too often to be.
        DamagedError: if the journal is not what was written.
        RefusedError: if a newer lttune wrote it.
        Exception: what ``read`` raises.
    """
    for _ in range(_MOST_READ):
        before = _moment(base)
        found, digest = read()
        since = read_journal(base, digest) if digest else []
        # Who writes the file anew takes its journal away: what was read may lack both.
        if _moment(base) == before:
            return found, since
    raise StorageError(f"{base} cannot be read: it is written anew all the time")


def remove_journal(base: Path) -> None:
    """Removes the journal of a file that was written whole since; its bytes are no longer needed.

    Raises:
        StorageError: if it cannot be removed.
    """
    path = journal_of(base)
    with write_errors(path):
        path.unlink(missing_ok=True)
        flush(path.parent)


def _moment(path: Path) -> tuple[int, int, int] | None:
    """Returns what changes whenever a file is replaced; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _line(value: Any, chain: str) -> tuple[bytes, str]:
    """Returns a line with the digest that the next one goes on from."""
    text = json.dumps(value, separators=(",", ":"))
    digest = _digest(chain, text.encode())
    return f"{digest} {text}\n".encode(), digest


def _lines(path: Path, data: bytes) -> Iterator[Any]:
    chain = ""
    # What has no end was being written; so was what a file system filled with zeros.
    whole = data[: data.rstrip(b"\0").rfind(b"\n") + 1]
    for number, line in enumerate(whole.split(b"\n")[:-1], 1):
        said, _, text = line.partition(b" ")
        if said != (chain := _digest(chain, text)).encode():
            raise DamagedError(
                f"{path} is damaged: the checksum of line {number} is not that of its bytes; put a "
                "copy of it back, or move it away and run the study again: networks in the store "
                "stay trained"
            )
        try:
            yield parse_json(text, has_infinities=True)
        except ValueError as error:
            raise DamagedError(f"{path} is damaged: line {number}: {reason_of(error)}") from None


def _digest(chain: str, text: bytes) -> str:
    return hashlib.sha256(chain.encode() + text).hexdigest()[:_DIGITS]
