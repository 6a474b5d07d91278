"""Files that carry the SHA-256 of their own bytes: what changed since they were written is told.

The digest is of all bytes of a file, with zeros where it stands itself. It guards against disks,
copies and editors, not against who can compute it too. A file of a version before there were seals
has neither ``schema`` nor ``seal``, nor names it its study, and is read as it is.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from lttune.errors import DamagedError, RefusedError, StorageError
from lttune.store.files import read_whole, reason_of, write_atomically, write_once
from lttune.store.plain_json import parse_json
from lttune.store.regular import regular_size

FILES_SCHEMA = 2
"""Version of a study's files; raise it when an older lttune would read them wrongly. Since 2 there
may be journals beside them (``lttune.store.formats.journal``)."""

_MARK = b"lttune-sha256:"
_DIGITS = 64
_END = 200
"""Bytes at the end of a large file among which its digest lies."""
_PIECE = 1 << 20
"""Bytes of a file that are in memory at once."""

BLANK = (_MARK + b"0" * _DIGITS).decode()
"""Stands in a file, nearer its end than any other, where ``seal`` puts the digest."""


def seal(data: bytes) -> bytes:
    """Returns a file's bytes with their digest in the place of ``BLANK``."""
    at = _place(data)
    return data[:at] + _digest(io.BytesIO(data), at) + data[at + _DIGITS :]


def seal_file(path: Path, end: int = _END) -> str:
    """Puts a file's digest in the place of ``BLANK`` at its end, without it all in memory.

    Args:
        path: the file.
        end: bytes at its end among which that lies.

    Returns:
        The digest.
    """
    with path.open("r+b") as file:
        at = _place_in(file, end)[0]
        digest = _digest(file, at)
        file.seek(at)
        file.write(digest)
    return digest.decode()


def digest_in(data: bytes) -> str:
    """Returns the digest that a file's bytes carry."""
    at = _place(data)
    return data[at : at + _DIGITS].decode()


def verify(path: Path, data: bytes) -> bool:
    """Returns whether a file carries its digest.

    Raises:
        DamagedError: if it carries another one than that of its bytes.
    """
    at = _place(data)
    if at < 0:
        return False
    _require_digest(path, io.BytesIO(data), at)
    return True


def verify_file(path: Path) -> tuple[bool, bytes]:
    """Returns whether a file carries its digest at its end, and its end; not all is in memory.

    Raises:
        FileNotFoundError: if there is no such file.
        StorageError: if it cannot be read.
        DamagedError: as ``verify``.
    """
    with read_errors(path):
        regular_size(path)  # A pipe would be waited for.
        with path.open("rb") as file:
            at, end = _place_in(file)
            if at >= 0:
                _require_digest(path, file, at)
            return at >= 0, end


def require_known(path: Path, schema: object, is_sealed: bool, names_study: bool) -> None:
    """Checks a file's version.

    Args:
        path: the file.
        schema: what it says, None if it says nothing.
        is_sealed: whether it carries its digest.
        names_study: whether it says of which study it is; no version wrote that without a digest.

    Raises:
        RefusedError: if a newer lttune wrote it.
        DamagedError: if it must carry a digest, and does not.
    """
    if schema is None and not is_sealed and not names_study:
        return
    if not isinstance(schema, int) or not is_sealed:
        raise DamagedError(f"{path} is damaged: it lacks its checksum or its schema")
    if schema > FILES_SCHEMA:
        raise RefusedError(
            f"{path} was written by a newer lttune: its schema is {schema}, this one reads up to "
            f"{FILES_SCHEMA}; use that version or a later one"
        )


def write_object(path: Path, values: Mapping[str, Any]) -> str:
    """Writes a JSON object with its schema and its digest, in one atomic replacement.

    Returns:
        Its digest.

    Raises:
        StorageError: if it cannot be written.
    """
    data = _sealed_object(values)
    with write_atomically(path) as temporary:
        temporary.write_bytes(data)
    return digest_in(data)


def write_object_once(path: Path, values: Mapping[str, Any]) -> None:
    """Writes what ``write_object`` does, where nothing is yet.

    Raises:
        FileExistsError: if something is there already; it stays.
        StorageError: if it cannot be written.
    """
    with write_once(path) as temporary:
        temporary.write_bytes(_sealed_object(values))


def _sealed_object(values: Mapping[str, Any]) -> bytes:
    text = json.dumps({**values, "schema": FILES_SCHEMA, "seal": BLANK}, indent=1, allow_nan=False)
    return seal(text.encode() + b"\n")


def read_object(path: Path) -> dict[str, Any]:
    """Returns what ``write_object`` was given, or an older version wrote; raises what it does."""
    return read_digested(path)[0]


def read_digested(path: Path) -> tuple[dict[str, Any], str]:
    """Returns what ``write_object`` was given and the digest; none of an older version's file.

    Raises:
        FileNotFoundError: if there is no such file.
        StorageError: if it cannot be read.
        DamagedError: if it is not what was written.
        RefusedError: if a newer lttune wrote it.
    """
    data = read_bytes(path)
    is_sealed = verify(path, data)
    try:
        values = parse_json(data)
    except ValueError as error:
        raise DamagedError(f"{path} is damaged: {reason_of(error)}") from None
    if not isinstance(values, dict):
        raise DamagedError(f"{path} must hold a JSON object")
    require_known(path, values.pop("schema", None), is_sealed, "study_id" in values)
    values.pop("seal", None)
    return values, digest_in(data) if is_sealed else ""


def read_bytes(path: Path) -> bytes:
    """Returns a file's bytes.

    Raises:
        FileNotFoundError: if there is no such file.
        StorageError: if it cannot be read, which says nothing of what it holds.
    """
    with read_errors(path):
        return read_whole(path)


@contextlib.contextmanager
def read_errors(path: Path) -> Iterator[None]:
    """Has an error of reading told in one line.

    Raises:
        FileNotFoundError: if there is no such file.
        StorageError: for another ``OSError`` inside.
    """
    try:
        yield
    except NotADirectoryError as error:
        raise FileNotFoundError(errno.ENOENT, error.strerror, str(path)) from None
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {reason_of(error)}") from error


def _place(data: bytes) -> int:
    """Returns where the digest begins; -1 if there is none."""
    at = data.rfind(_MARK)
    return at + len(_MARK) if at >= 0 else -1


def _place_in(file: IO[bytes], size: int = _END) -> tuple[int, bytes]:
    """Returns where the digest begins that lies at the end of a file, -1 if none does; the end."""
    start = max(file.seek(0, io.SEEK_END) - size, 0)
    file.seek(start)
    end = file.read()
    at = _place(end)
    return (start + at if at >= 0 else -1), end


def _require_digest(path: Path, file: IO[bytes], at: int) -> None:
    file.seek(at)
    if file.read(_DIGITS) != _digest(file, at):
        raise DamagedError(
            f"{path} is damaged: its checksum is not that of its bytes; put a copy of it back, or "
            "move its folder away and run the study again: networks in the store stay trained"
        )


def _digest(file: IO[bytes], at: int) -> bytes:
    found, left = hashlib.sha256(), at
    file.seek(0)
    while left and (piece := file.read(min(left, _PIECE))):
        found.update(piece)
        left -= len(piece)
    found.update(b"0" * _DIGITS)
    file.seek(at + _DIGITS)
    while piece := file.read(_PIECE):
        found.update(piece)
    return found.hexdigest().encode()
