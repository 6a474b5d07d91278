"""The rows of a Parquet file of anybody's, in memory that follows its bytes.

A text that every row repeats is written once, so that a few kilobytes can stand for gigabytes, and
what a file says of its rows may be untrue. Whatever it says, no text is longer than the pages that
it is made from, and their sizes are what the reader itself goes by. So few rows are decoded at a
time that these can fill no more than is allowed, and what has been filled is counted before more
are.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from lttune.store.formats.pages import unpacked_size
from lttune.store.regular import most_memory

VALUE_BYTES = 64
"""Bytes that a value takes in a row as Python has it, beside those of its text."""

_MOST_AT_ONCE = 1 << 13
"""Rows that are decoded at once: of ours, a hundred megabytes."""
_TEXT = "BYTE_ARRAY"
_NUMBERS = ("BOOLEAN", "DOUBLE", "FLOAT", "INT32", "INT64")


def parquet_file(data: bytes) -> pq.ParquetFile:
    """Returns the file of some bytes, of which only the description at their end is read.

    Raises:
        Exception: whatever the reader says of bytes that are none.
    """
    # All that is described takes a byte or more; the reader would reserve what is promised.
    most = max(len(data), 1)
    return pq.ParquetFile(
        pa.BufferReader(data), thrift_string_size_limit=most, thrift_container_size_limit=most
    )


def parquet_parts(file: pq.ParquetFile, data: bytes) -> Iterator[pa.RecordBatch]:
    """Yields the rows of a file, some thousand at a time.

    Each column has the one type of what it holds, however the file packs that: texts, truth values,
    whole numbers of 64 bits, numbers of double precision. What is none of these is left as it is.

    Args:
        file: as opened.
        data: its bytes.

    Raises:
        ValueError: if it is no such table, or would fill more memory than a file of its size may.
        Exception: whatever else the reader says of the bytes.
    """
    most, row_bytes = most_memory(len(data)), VALUE_BYTES * (len(file.schema) + 1)
    promised = file.metadata.num_rows
    # Ours have a byte or more a row; a file that promises more would be waited for.
    if promised > len(data):
        raise ValueError(f"it promises {promised:,} rows")
    _require_room(promised * row_bytes, most)
    _require_flat(file)
    texts, others = _unpacked(file, data)
    _require_room(texts + others, most)
    filled = 0
    at_once = min(max(most // (row_bytes + texts), 1), _MOST_AT_ONCE)
    # In threads of Arrow's (25.0) the last hold on our bytes may be one of theirs: where the
    # interpreter ends just then, it needs the lock of a Python that is gone, and aborts.
    for batch in file.iter_batches(at_once, use_threads=False):
        columns = [*map(_plain, batch.columns)]  # A text of a dictionary counts in each row.
        filled += row_bytes * batch.num_rows + sum(column.nbytes for column in columns)
        _require_room(filled, most)
        yield pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _plain(column: pa.Array) -> pa.Array:
    """Returns a column in the one type of what it holds.

    Raises:
        Exception: whatever is said of a value that Python cannot have.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _plain(column.cast(kind.value_type))
    if pa.types.is_string(kind):
        try:
            column.validate(full=True)
        except pa.ArrowInvalid:
            column.to_pylist()  # Says which byte is none of a text.
            raise
        return column
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return _plain(column.cast(pa.string()))
    if pa.types.is_floating(kind):
        return column.cast(pa.float64())
    if pa.types.is_integer(kind) and kind != pa.uint64():
        return column.cast(pa.int64())
    if not (pa.types.is_boolean(kind) or pa.types.is_integer(kind)):
        column.to_pylist()
    return column


def _require_room(filled: int, most: int) -> None:
    if filled > most:
        raise ValueError(f"its rows would fill more than {most >> 20:,} MB of memory")


def _require_flat(file: pq.ParquetFile) -> None:
    """Raises ``ValueError`` unless each column has a name, and one plain value in a row."""
    names = file.schema_arrow.names
    columns = [file.schema.column(place) for place in range(len(file.schema))]
    for column in columns:
        if column.max_repetition_level or column.path not in names:
            raise ValueError(f"{column.path} must be a column of one value in a row")
    if len(set(names)) != len(names):
        raise ValueError("two of its columns have one name")
    if strange := {column.physical_type for column in columns} - {_TEXT, *_NUMBERS}:
        raise ValueError(f"it has columns of {', '.join(sorted(strange))}")


def _unpacked(file: pq.ParquetFile, data: bytes) -> tuple[int, int]:
    """Returns the bytes of all pages of columns of texts, and of the others.

    Raises:
        ValueError: if they cannot be told, or columns lie upon each other.
    """
    about, columns = file.metadata, file.schema
    taken = 0
    sizes = {True: 0, False: 0}
    for group in map(about.row_group, range(about.num_row_groups)):
        for place in range(len(columns)):
            chunk = group.column(place)
            first = chunk.dictionary_page_offset or chunk.data_page_offset
            start = min(first, chunk.data_page_offset)
            # A column without values has no pages, and begins anywhere.
            size = chunk.total_compressed_size if chunk.num_values > 0 else 0
            taken += size
            if start < 0 or size < 0 or taken > len(data):
                raise ValueError("its columns take more bytes than it has")
            is_text = columns.column(place).physical_type == _TEXT
            sizes[is_text] += unpacked_size(data, start, start + size)
    return sizes[True], sizes[False]
