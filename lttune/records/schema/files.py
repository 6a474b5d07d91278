"""The files of the tables: written in groups of rows, and read a few thousand rows at a time."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from lttune.errors import DamagedError, OtherStudyError, StorageError, lacks_memory
from lttune.records.schema.documented import MEASURES, Columns
from lttune.records.schema.making import table_of
from lttune.store.files import reason_of, write_atomically
from lttune.store.formats.parquet import parquet_file, parquet_parts
from lttune.store.sealed import (
    BLANK,
    FILES_SCHEMA,
    digest_in,
    read_bytes,
    require_known,
    seal_file,
    verify,
)

ANY_STUDY = "any"
"""In place of what a study is known by: a table by itself, of whichever."""
MEND_OF_PARTS = "put the files of one study back, or move the folder away and run the study again"
"""What to do where the files in a study's folder are not of one study."""

_TAIL = 8
"""Bytes of a Parquet file after its metadata: how long these are, and a mark."""
_SCHEMA, _SEAL, _STUDY = "lttune.schema", "lttune.seal", "lttune.study"
"""What a table's metadata are named."""


def write(
    path: Path,
    rows: Sequence[Mapping[str, Any]],
    columns: Columns = MEASURES,
    study_id: str | None = None,
) -> str:
    """Writes a table in one atomic replacement.

    Args:
        path: the file.
        rows: the table's.
        columns: those that are documented.
        study_id: what ``study.json`` of the same study is known by; None for a table of its own.

    Returns:
        The digest of its bytes.

    Raises:
        StorageError: if it cannot be written.
    """
    return write_table(path, [table_of(rows, columns)], study_id)


def write_table(
    path: Path,
    groups: Iterable[pa.Table],
    study_id: str | None = None,
    plain: Collection[str] = (),
) -> str:
    """Writes tables, one below the other, as ``write`` does, and raises what it does.

    Args:
        path: the file.
        groups: at least one, all of the same columns; only one is in memory at a time.
        study_id: as of ``write``.
        plain: columns of numbers that are not packed: where a table repeats all else, a file has
            to have so many bytes that its reader takes its rows (``most_memory``).
    """
    about = {_SCHEMA: str(FILES_SCHEMA), _SEAL: BLANK, **({_STUDY: study_id} if study_id else {})}
    with write_atomically(path) as temporary:
        # Python's own file, whose errors say what a disk said.
        with temporary.open("wb") as file, contextlib.ExitStack() as stack:
            writer = None
            for group in groups:
                named = group.replace_schema_metadata(about)
                writer = writer or stack.enter_context(_writer(file, named.schema, plain))
                writer.write_table(named)
        return seal_file(temporary, _description_size(temporary))


def _writer(file: IO[bytes], columns: pa.Schema, plain: Collection[str]) -> pq.ParquetWriter:
    packed = [name for name in columns.names if name not in plain]
    packing = dict.fromkeys(packed, "SNAPPY") | dict.fromkeys(plain, "NONE")
    how: dict[str, Any] = {"use_dictionary": packed, "compression": packing}
    return pq.ParquetWriter(file, columns, **how)


def _description_size(path: Path) -> int:
    """Returns how many bytes at the end of a Parquet file describe it, and say how many."""
    with path.open("rb") as file:
        file.seek(-_TAIL, os.SEEK_END)
        return int.from_bytes(file.read(_TAIL // 2), "little") + _TAIL


def read(path: Path, study_id: str | None = ANY_STUDY) -> list[dict[str, Any]]:
    """Returns the rows of a table's file; raises what ``read_in_parts`` does."""
    parts, _ = read_in_parts(path, study_id)
    return [row for part in parts for row in part.to_pylist()]


def read_in_parts(
    path: Path, study_id: str | None = ANY_STUDY
) -> tuple[Iterator[pa.RecordBatch], str]:
    """Returns the rows of a table's file, none without one, and the digest that it carries, if any.

    Args:
        path: the file.
        study_id: of the study that it must be of; None is one of an older version.

    Raises:
        StorageError: if it cannot be read, or is of another study.
        DamagedError: if it is not what was written, or does not say of which study it is; of the
            rows themselves only where they are taken.
        RefusedError: if a newer lttune wrote it.
    """
    try:
        data = read_bytes(path)
    except FileNotFoundError:
        return iter(()), ""
    is_sealed = verify(path, data)
    with about_bytes(path):
        file = parquet_file(data)
        about = {k.decode(): v.decode() for k, v in (file.schema_arrow.metadata or {}).items()}
        schema = int(about[_SCHEMA]) if _SCHEMA in about else None
    require_known(path, schema, is_sealed, _STUDY in about)
    require_same_study(path, about.get(_STUDY), study_id)
    return _parts(path, file, data), digest_in(data) if is_sealed else ""


def _parts(path: Path, file: pq.ParquetFile, data: bytes) -> Iterator[pa.RecordBatch]:
    with about_bytes(path):
        yield from parquet_parts(file, data)


@contextlib.contextmanager
def about_bytes(path: Path) -> Iterator[None]:
    """Has whatever a reader raises on bytes that it was given told as what the file is."""
    try:
        yield
    except Exception as error:
        if lacks_memory(error):  # Which says nothing of the bytes.
            raise StorageError(f"{path} cannot be read: memory was refused") from error
        raise DamagedError(f"{path} is damaged: {reason_of(error)}") from None


def require_same_study(
    path: Path, found: object, study_id: str | None, mend: str = MEND_OF_PARTS
) -> None:
    """Checks that a file names the study that its folder's ``study.json`` is of.

    Args:
        path: the file.
        found: what it names; None in files of older versions.
        study_id: that of ``study.json``; None in studies of older versions, all of whose files name
            none. ``ANY_STUDY`` asks nothing.
        mend: what to do if it names another.

    Raises:
        OtherStudyError: if it names another study.
        DamagedError: if it names none, and must.
    """
    if study_id == ANY_STUDY or found == study_id:
        return
    if found is None:
        raise DamagedError(f"{path} is damaged: it does not say of which study it is; {mend}")
    raise OtherStudyError(f"{path} is of another study than the study.json beside it: {mend}")
