"""The files of a study's tables with their journals, read as one."""

from __future__ import annotations

import contextlib
import functools
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

from lttune.errors import DamagedError
from lttune.records import schema
from lttune.records.columns import require_table
from lttune.records.rules import require_bounded_table
from lttune.store.formats.journal import journal_of, read_journaled

Row = dict[str, Any]

TABLES: dict[str, schema.Columns] = {
    "records.parquet": schema.MEASURES,
    "layers.parquet": schema.LAYERS,
}
"""Name of a table's file -> the columns that it is written with."""

_TOLD_BY = {
    "records": ("trial", "replicate", "branch", "level"),
    "layers": ("trial", "replicate", "level", "layer"),
}
"""Table -> the columns that tell its rows apart."""
KEYS = {table: itemgetter(*names) for table, names in _TOLD_BY.items()}


def rows_in(path: Path, study_id: str | None = schema.ANY_STUDY) -> list[Row]:
    """Returns the rows of one of the tables, with those of its journal; none without the file.

    Args:
        path: ``records.parquet`` or ``layers.parquet``.
        study_id: as of ``schema.read``.

    Raises:
        DamagedError: if one of both is not what was written.
        StorageError: if one cannot be read, or the table is of another study.
        RefusedError: if a newer lttune wrote one.
    """
    read = functools.partial(schema.read_with_digest, path, study_id)
    rows, since = read_journaled(path, read, has_infinities=True)
    if not since:
        return rows
    key = KEYS[path.stem]
    with schema.about_bytes(journal_of(path)):
        # Of a network that was trained again the last row holds.
        noted = {key(row): row for row in journaled_rows(since)}
        rows = [row for row in rows if key(row) not in noted]
    rows += noted.values()
    require_bounded_table(path, rows, words=("rows", "columns"))
    with schema.about_bytes(journal_of(path)):
        return schema.table_of(rows, TABLES[path.name]).to_pylist()


def journaled(rows: Sequence[Row]) -> dict[str, list[Any]]:
    """Returns rows as a line of a journal has them: the values of each of their columns."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def journaled_rows(lines: Iterable[Mapping[str, Sequence[Any]]]) -> Iterator[Row]:
    """Yields the rows of lines that ``journaled`` made."""
    for line in lines:
        for values in zip(*line.values(), strict=True):
            yield dict(zip(line, values, strict=True))


@contextlib.contextmanager
def whole_tables(folder: Path, study_id: str | None) -> Iterator[list[Path]]:
    """Yields a copy with all its rows of each table of a study that has a journal.

    Raises:
        StorageError: if one cannot be read or written.
    """
    names = [name for name in TABLES if journal_of(folder / name).exists()]
    with tempfile.TemporaryDirectory() as scratch:
        for name in names:
            rows = rows_in(folder / name, study_id)
            schema.write(Path(scratch, name), rows, TABLES[name], study_id)
        yield [Path(scratch, name) for name in names]


def sound_rows(path: Path, study_id: str | None) -> list[Row]:
    """Returns the rows of one of the tables, if it is as it is written.

    Args:
        path: as of ``rows_in``.
        study_id: as of ``schema.read``.

    Raises:
        DamagedError: if it is not what was written, by its bytes, columns, values or keys.
        StorageError: if it cannot be read, or is of another study.
        RefusedError: if a newer lttune wrote it.
    """
    return required(path, rows_in(path, study_id))


def required(path: Path, rows: list[Row]) -> list[Row]:
    """Returns the rows of a table if they have its columns and values, each row once."""
    require_table(path, rows, TABLES[path.name])
    keys = [KEYS[path.stem](row) for row in rows]
    if len({*keys}) < len(keys):
        ((key, count),) = Counter(keys).most_common(1)
        told = zip(_TOLD_BY[path.stem], key, strict=True)
        row = ", ".join(f"{name} {value}" for name, value in told)
        raise DamagedError(f"{path} must have each of its rows once, got {count} of {row}")
    return rows
