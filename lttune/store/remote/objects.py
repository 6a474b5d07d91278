"""A cell as objects: its files under names that carry their digests, then its seal.

The seal is put last: without it there is no cell. Two that put one cell at a time, whose times
differ, put their files beside each other's: whichever seal is the last one, all that it names is
there. The bytes of all objects are those of the files of a folder.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from lttune.store import cells
from lttune.store.failpoint import reach
from lttune.store.files import read_whole
from lttune.store.remote.bucket import Bucket

_DIGITS = 16
"""Of a digest that a name carries; the seal has all of it."""
_SHA = re.compile("[0-9a-f]{64}")


def put_cell(bucket: Bucket, key: str, folder: Path) -> None:
    """Puts a sealed cell's files, the seal last.

    Raises:
        OSError: if one of them cannot be read.
        UnreachableError: if an object is not taken.
    """
    seal = read_whole(folder / cells.SEAL)
    for name, sha in cells.sealed_files(seal, key).items():
        bucket.put(_name(key, name, sha), read_whole(folder / name))
        reach("cell.object")
    bucket.put(f"{_place(key)}/{cells.SEAL}", seal)
    reach("cell.put")


def fetch_cell(bucket: Bucket, key: str) -> Mapping[str, bytes] | None:
    """Returns the files of a cell, its seal too; None if there is no sound one.

    Raises:
        UnreachableError: if what there is cannot be read.
    """
    seal = bucket.get(f"{_place(key)}/{cells.SEAL}")
    if seal is None:
        return None
    found = {cells.SEAL: seal}
    for name, sha in cells.sealed_files(seal, key).items():
        if not _SHA.fullmatch(str(sha)) or (data := bucket.get(_name(key, name, sha))) is None:
            return None
        found[name] = data
    return found if cells.decoded(found, key) is not None else None


def _name(key: str, name: str, sha: str) -> str:
    stem, _, ending = name.partition(".")
    return f"{_place(key)}/{stem}-{sha[:_DIGITS]}.{ending}"


def _place(key: str) -> str:
    return f"{key[:2]}/{key}"
