"""The tables of a study as columns, each with what its journal says since its file was written.

As columns a row takes a tenth of what it takes as Python's values. What is checked is checked a
part at a time.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from pathlib import Path

import pyarrow as pa

from lttune.errors import DamagedError
from lttune.records import schema
from lttune.records.columns import require_table
from lttune.records.tables.files import TABLES, TOLD_BY, Row
from lttune.records.tables.joining import MOST_GROUPED
from lttune.records.tables.noted import Noted, joined, noted_in
from lttune.store.formats.journal import journal_of, read_journaled

Check = Callable[[pa.Table], None]


def table_in(
    path: Path, study_id: str | None = schema.ANY_STUDY, names: Collection[str] | None = None
) -> pa.Table:
    """Returns one of the tables, with the rows of its journal; one without rows if it is not there.

    Args:
        path: ``records.parquet`` or ``layers.parquet``.
        study_id: as of ``schema.read``.
        names: columns that are returned, as far as it has them; None is all.

    Raises:
        DamagedError: if file or journal is not what was written.
        StorageError: if one cannot be read, or the table is of another study.
        RefusedError: if a newer lttune wrote one.
    """
    return _table(path, study_id, names, lambda part: None)


def sound_table(path: Path, study_id: str | None, names: Collection[str] | None = None) -> pa.Table:
    """Returns what ``table_in`` does, if all of the table is as it is written.

    Args:
        path: as of ``table_in``.
        study_id: likewise.
        names: likewise; only these, and what tells rows apart, are ever in memory as a whole.

    Raises:
        DamagedError: if it is not what was written, by its bytes, columns, values or keys.
        StorageError: if it cannot be read, or is of another study.
        RefusedError: if a newer lttune wrote it.
    """
    told = TOLD_BY[path.stem]
    kept = None if names is None else {*names, *told}
    check = partial(require_table, path, columns=TABLES[path.name])
    table = _table(path, study_id, kept, check)
    if len(table):
        _require_once(path, table.select(told))
    return table


def rows_in(path: Path, study_id: str | None = schema.ANY_STUDY) -> list[Row]:
    """Returns the rows of what ``table_in`` does, and raises what it does."""
    return table_in(path, study_id).to_pylist()


def trial_counts(table: pa.Table) -> dict[int, int]:
    """Returns the number of each trial that a table has rows of, and how many these are."""
    if not len(table):
        return {}
    found = table["trial"].value_counts()
    return dict(zip(found.field(0).to_pylist(), found.field(1).to_pylist(), strict=True))


@contextlib.contextmanager
def whole_tables(folder: Path, study_id: str | None) -> Iterator[list[Path]]:
    """Yields a copy with all its rows of each table of a study that has a journal.

    Raises:
        StorageError: if one cannot be read or written.
    """
    names = [name for name in TABLES if journal_of(folder / name).exists()]
    with tempfile.TemporaryDirectory() as scratch:
        for name in names:
            parts, since = _read(folder / name, study_id)
            whole = joined(folder / name, _together(parts), since)
            schema.write_table(Path(scratch, name), _parts(whole), study_id)
        yield [Path(scratch, name) for name in names]


def _table(
    path: Path, study_id: str | None, names: Collection[str] | None, check: Check
) -> pa.Table:
    batches, since = _read(path, study_id)
    parts = _parts(joined(path, _together(batches), since)) if since.lines else _grouped(batches)
    kept: list[pa.Table] = []
    for part in parts:
        check(part)
        mine = part.column_names if names is None else [n for n in part.column_names if n in names]
        kept.append(part.select(mine))
    return pa.concat_tables(kept) if kept else pa.table({})


def _read(path: Path, study_id: str | None) -> tuple[Iterator[pa.RecordBatch], Noted]:
    read = partial(schema.read_in_parts, path, study_id)
    return read_journaled(path, read, has_infinities=True, gather=partial(noted_in, path))


def _together(batches: Iterable[pa.RecordBatch]) -> pa.Table:
    found = [*batches]
    return pa.Table.from_batches(found) if found else pa.table({})


def _grouped(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Yields batches together, as many rows as are checked at once."""
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(map(len, waiting)) >= MOST_GROUPED:
            yield _together(waiting)
            waiting = []
    if waiting:
        yield _together(waiting)


def _parts(table: pa.Table) -> Iterator[pa.Table]:
    for first in range(0, max(len(table), 1), MOST_GROUPED):
        yield table.slice(first, MOST_GROUPED)


def _require_once(path: Path, keys: pa.Table) -> None:
    """Raises ``DamagedError`` if two rows of a table are told apart by nothing."""
    names = keys.column_names
    if len(keys.group_by(names, use_threads=False).aggregate([])) == len(keys):
        return
    rows = zip(*(keys[name].to_pylist() for name in names), strict=True)
    ((key, count),) = Counter(rows).most_common(1)
    row = ", ".join(f"{name} {value}" for name, value in zip(names, key, strict=True))
    raise DamagedError(f"{path} must have each of its rows once, got {count} of {row}")
