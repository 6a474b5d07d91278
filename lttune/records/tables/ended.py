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
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from lttune.errors import StorageError
from lttune.records.tables.files import TABLES, Row, journaled, journaled_rows
from lttune.records.tables.joining import Kinds, kinds_of
from lttune.store.files import not_written, reason_of
from lttune.store.temporary import temporary_beside

_COLUMNS = [*TABLES.values()]


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
        self._places: list[dict[int, tuple[int, int]]] = [{} for _ in TABLES]
        """Of each table: number of a trial -> where its rows begin and end."""
        self._kinds: list[dict[int, Kinds]] = [{} for _ in TABLES]
        """What columns they have that are not documented; most trials have the same."""
        self._alike: dict[Kinds, Kinds] = {}
        self._end = 0
        self._using = threading.Lock()

    def __contains__(self, number: int) -> bool:
        return any(number in places for places in self._places)

    def __iter__(self) -> Iterator[int]:
        return iter({number for places in self._places for number in places})

    def __bool__(self) -> bool:
        return any(self._places)

    def put(self, number: int, tables: Mapping[int, Sequence[Row]]) -> None:
        """Keeps the rows of a trial in place of those that it had.

        Args:
            number: of the trial.
            tables: place of a table in ``TABLES`` -> its rows.

        Raises:
            StorageError: if they cannot be written; nothing is kept then.
        """
        values = {table: journaled(rows) for table, rows in tables.items()}
        places, end = dict[int, tuple[int, int]](), self._end
        with self._using:
            try:
                file = self._opened()
                file.seek(end)  # Of what failed before, half may be there.
                for table, found in values.items():
                    text = zlib.compress(json.dumps(found).encode(), 1)
                    left = memoryview(text)
                    while left:
                        left = left[file.write(left) or 0 :]
                    places[table] = (end, end + len(text))
                    end += len(text)
            except OSError as error:
                raise not_written(self._folder, error) from error
            self._end = end
        for table, place in places.items():
            self._places[table][number] = place
            kinds = kinds_of(values[table], _COLUMNS[table])
            self._kinds[table][number] = self._alike.setdefault(kinds, kinds)

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
        if (place := self._places[table].get(number)) is None or self._file is None:
            return None
        first, end = place
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
        for found in (*self._places, *self._kinds):
            found.pop(number, None)

    def clear(self, table: int) -> None:
        """Forgets all rows of one table."""
        self._places[table].clear()
        self._kinds[table].clear()

    def kinds(self, table: int) -> set[Kinds]:
        """Returns what columns the rows of one table have that are not documented."""
        return {*self._kinds[table].values()}

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
