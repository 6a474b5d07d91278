"""The bytes of published files: decompressed, told by their MD5, taken out of archives."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zlib
from collections.abc import Mapping
from typing import IO

from lttune.errors import DataError
from lttune.store.regular import most_memory

LIMIT = 256 << 20
"""Most bytes that are read of a file; the largest, an archive of CIFAR, has 170,498,071."""
PIECE = 1 << 20
"""Bytes that are unpacked at a time."""


def decompressed(data: bytes) -> bytes:
    """Returns the content of gzipped bytes, and any others as they are.

    Broken gzip is also returned as it is: its md5 then tells that it is damaged.
    """
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        return _read(gzip.GzipFile(fileobj=io.BytesIO(data)), min(LIMIT, most_memory(len(data))))
    except (OSError, EOFError, zlib.error):
        return data


def _read(file: gzip.GzipFile, most: int) -> bytes:
    """Returns at most so many bytes, read piece by piece: all at once takes four times as much."""
    parts: list[bytes] = []
    while most > 0 and (part := file.read(min(most, PIECE))):
        parts.append(part)
        most -= len(part)
    return b"".join(parts)


def md5(data: bytes) -> str:
    """Returns the MD5 in hexadecimal, which is how these files are published."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def members(archive: IO[bytes]) -> dict[str, bytes]:
    """Returns the decompressed files of a tar archive by their md5."""
    with tarfile.open(fileobj=archive) as tar:
        # Read, never unpacked: a member's name could point anywhere.
        files = [tar.extractfile(m) for m in tar if _is_plain(m)]
        contents = [decompressed(file.read()) for file in files if file is not None]
    return {md5(data): data for data in contents}


def _is_plain(member: tarfile.TarInfo) -> bool:
    """Returns whether a member is a file whose bytes are all there; a sparse one has holes."""
    return member.isfile() and not member.issparse() and member.size <= LIMIT


def chosen(found: Mapping[str, bytes], wanted: Mapping[str, str]) -> dict[str, bytes]:
    """Returns the wanted files (name -> md5) from files by their md5.

    Raises:
        DataError: if one is not among them.
    """
    if lacking := [name for name in wanted if wanted[name] not in found]:
        raise DataError(f"the package lacks {', '.join(lacking)}")
    return {name: found[wanted[name]] for name in wanted}
