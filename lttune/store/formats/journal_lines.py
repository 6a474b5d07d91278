"""The lines of a journal, read while its writer goes on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lttune.errors import DamagedError
from lttune.store.files import reason_of
from lttune.store.plain_json import parse_json
from lttune.store.regular import regular_size
from lttune.store.sealed import read_errors

_DIGITS = 32
"""Characters of a line's digest: 128 bits."""


def digest_of(chain: str, text: bytes) -> str:
    """Returns a line's digest.

    Args:
        chain: that of the line before it, "" for the first.
        text: the line, without its digest and its end.
    """
    return hashlib.sha256(chain.encode() + text).hexdigest()[:_DIGITS]


@dataclass(frozen=True, kw_only=True)
class LinePlace:
    """Where a line of a journal is, and what it is known by."""

    number: int
    """From 1."""
    start: int
    """Its first byte's."""
    chain: str
    """The digest of the line before it."""
    digest: str


_FIRST = LinePlace(number=1, start=0, chain="", digest="")


class JournalLines(Iterator[Any]):
    """What the lines of a journal say, read as it is taken, up to the last that is whole.

    Args:
        path: the journal.
        has_infinities: whether values may hold infinities and NaN.
        place: of the line to begin with.

    Raises:
        FileNotFoundError: where the first line is taken, if there is no such file.
        StorageError: where a line is taken that cannot be read.
        DamagedError: where one is that is not what was written.
    """

    def __init__(self, path: Path, has_infinities: bool = False, place: LinePlace = _FIRST) -> None:
        self._path, self._has_infinities = path, has_infinities
        self._values = self._read(place)
        self.last: LinePlace | None = None
        """The line that was taken last."""

    def __next__(self) -> Any:
        return next(self._values)

    def _read(self, place: LinePlace) -> Iterator[Any]:
        chain, start = place.chain, place.start
        for number, line in enumerate(_whole_lines(self._path, start), place.number):
            said, _, text = line[:-1].partition(b" ")
            digest = digest_of(chain, text)
            if said != digest.encode():
                raise DamagedError(
                    f"{self._path} is damaged: the checksum of line {number} is not that of its "
                    "bytes; put a copy of it back, or move it away and run the study again: "
                    "networks in the store stay trained"
                )
            try:
                value = parse_json(text, self._has_infinities)
            except ValueError as error:
                text = f"{self._path} is damaged: line {number}: {reason_of(error)}"
                raise DamagedError(text) from None
            self.last = LinePlace(number=number, start=start, chain=chain, digest=digest)
            chain, start = digest, start + len(line)
            yield value


def _whole_lines(path: Path, start: int) -> Iterator[bytes]:
    """Yields the lines of a file, with their ends, up to the first that has none.

    That was being written, or a file system filled it with zeros. What comes after it is its rest:
    its writer may end it while it is read.
    """
    with read_errors(path):
        regular_size(path)  # A pipe would be waited for.
        with path.open("rb") as file:
            file.seek(start)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                yield line
