"""The rows of trials that have ended: in a file of this process alone, not in its memory.

Whoever writes a table anew needs all of them, MLflow those of one trial. The study's own files have
them too, but others may remove or change those while a study runs.
"""

from __future__ import annotations

import contextlib
import json
import threading
import weakref
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from lttune.errors import StorageError
from lttune.records.tables.files import TABLES, Row, journaled, journaled_rows
from lttune.records.tables.joining import Kinds, kinds_of
from lttune.store.files import not_written, reason_of
from lttune.store.temporary import temporary_beside


class EndedRows:
    """Number of a trial -> its rows of each table, packed; in memory is only where they are.

    The file loses its name as soon as it is open, so that nothing is left of it whatever ends the
    process. Several threads may ask.

    Args:
        folder: where it is, which may be on a disk that is larger than the one of temporary files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: BinaryIO | None = None
        self._places: dict[int, tuple[int, ...]] = {}
        """Number of a trial -> where its rows of each table begin, and where the last end."""
        self._kinds: dict[int, tuple[Kinds, ...]] = {}
        """Number of a trial -> what columns its rows of each table have that are not documented."""
        self._alike: dict[Any, Any] = {}
        """Each of those once, because most trials have the same."""
        self._end = 0
        self._using = threading.Lock()

    def __contains__(self, number: int) -> bool:
        return number in self._places

    def __iter__(self) -> Iterator[int]:
        return iter([*self._places])

    def __len__(self) -> int:
        return len(self._places)

    def put(self, number: int, tables: Sequence[Sequence[Row]]) -> None:
        """Keeps the rows of a trial, of each table.

        Raises:
            StorageError: if they cannot be written; nothing is kept then.
        """
        values = [journaled(rows) for rows in tables]
        packed = [zlib.compress(json.dumps(found).encode(), 1) for found in values]
        kinds = tuple(map(kinds_of, values, TABLES.values()))
        with self._using:
            place = [self._end]
            try:
                file = self._opened()
                file.seek(self._end)  # Of what failed before, half may be there.
                for text in packed:
                    left = memoryview(text)
                    while left:
                        left = left[file.write(left) or 0 :]
                    place.append(place[-1] + len(text))
            except OSError as error:
                raise not_written(self._folder, error) from error
            self._places[number], self._end = tuple(place), place[-1]
            self._kinds[number] = self._alike.setdefault(kinds, kinds)

    def rows(self, number: int, table: int) -> list[Row] | None:
        """Returns the rows that a trial has of one table; None if nothing is kept of it.

        Raises:
            StorageError: if they cannot be read.
        """
        values = self.values(number, table)
        return None if values is None else [*journaled_rows([values])]

    def values(self, number: int, table: int) -> dict[str, list[Any]] | None:
        """Returns the same as ``journaled`` gives it.

        Raises:
            StorageError: if they cannot be read.
        """
        if (place := self._places.get(number)) is None or self._file is None:
            return None
        first, end = place[table : table + 2]
        try:
            with self._using:
                self._file.seek(first)
                packed = b""
                while more := self._file.read(end - first - len(packed)):
                    packed += more
            return json.loads(zlib.decompress(packed))
        except (OSError, zlib.error) as error:
            text = f"{self._folder} cannot be read: the rows of trial {number}: {reason_of(error)}"
            raise StorageError(text) from error

    def drop(self, number: int) -> None:
        """Forgets the rows of a trial, if there are any."""
        self._places.pop(number, None)
        self._kinds.pop(number, None)

    def kinds(self, table: int) -> set[Kinds]:
        """Returns what columns the rows of one table have that are not documented."""
        return {kinds[table] for kinds in {*self._kinds.values()}}

    def _opened(self) -> BinaryIO:
        if self._file is None:
            path = temporary_beside(self._folder / "ended")
            file = path.open("x+b", buffering=0)
            weakref.finalize(self, _close, file, path)
            self._file = file
            with contextlib.suppress(OSError):  # Some file systems keep the name while it is open.
                path.unlink()
        return self._file


def _close(file: BinaryIO, path: Path) -> None:
    file.close()
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
