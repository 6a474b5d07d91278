"""A cell as objects: its files under names that carry their digests, then its seal.

The seal is put last: without it there is no cell. Two that put one cell at a time, whose times
differ, put their files beside each other's: whichever seal is the last one, all that it names is
there. The bytes of all objects are those of the files of a folder.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lttune.store import cells
from lttune.store.failpoint import reach
from lttune.store.files import read_whole
from lttune.store.remote.bucket import Bucket

_DIGITS = 16
"""Of a digest that a name carries; the seal has all of it."""
_SHA = re.compile("[0-9a-f]{64}")


def put_cell(bucket: Bucket, key: str, folder: Path) -> bool:
    """Puts a sealed cell's files, the seal last.

    Returns:
        Whether it was put: of a folder without a sound cell nothing is, also where another process
        takes one away or replaces one meanwhile.

    Raises:
        OSError: if one of them cannot be read.
        UnreachableError: if an object is not taken.
    """
    found = cells.sound_files(folder, key)
    if found is None:
        return False
    for name, sha in cells.sealed_files(found[cells.SEAL], key).items():
        bucket.put(_name(key, name, sha), found[name])
        reach("cell.object")
    bucket.put(_seal(key), found[cells.SEAL])
    reach("cell.put")
    return True


def fetch_cell(bucket: Bucket, key: str) -> Mapping[str, bytes] | None:
    """Returns the files of a cell, its seal too; None if there is no sound one.

    Raises:
        UnreachableError: if what there is cannot be read.
    """
    seal = bucket.get(_seal(key))
    if seal is None:
        return None
    found = {cells.SEAL: seal}
    for name, sha in cells.sealed_files(seal, key).items():
        if not _SHA.fullmatch(str(sha)) or (data := bucket.get(_name(key, name, sha))) is None:
            return None
        found[name] = data
    return found if cells.decoded(found, key) is not None else None


def check_cell(bucket: Bucket, key: str) -> tuple[bool, int]:
    """Reads all of a cell's objects, a piece at a time.

    Returns:
        Whether each is the one that the seal names, and how many bytes were read.

    Raises:
        UnreachableError: if the URL does not tell.
    """
    if (seal := bucket.get(_seal(key))) is None:
        return False, 0
    files, is_sound, size = cells.sealed_files(seal, key), True, len(seal)
    for name, sha in files.items():
        found = bucket.digest(_name(key, name, sha)) if _SHA.fullmatch(str(sha)) else None
        is_sound = is_sound and found is not None and found[0] == sha
        size += found[1] if found else 0
    return bool(files) and is_sound, size


def fetch_record(bucket: Bucket, key: str) -> dict[str, Any] | None:
    """Returns the record of a cell, of which nothing else but the seal is fetched; None without.

    Raises:
        UnreachableError: as ``fetch_cell``.
    """
    seal = bucket.get(_seal(key))
    sha = cells.sealed_files(seal, key).get(cells.RECORD) if seal is not None else None
    if seal is None or not _SHA.fullmatch(str(sha)):
        return None
    record = bucket.get(_name(key, cells.RECORD, str(sha)))
    return None if record is None else cells.decoded_record(seal, record, key)


class Listing:
    """Which cells are behind a URL, as far as a process has asked for it.

    Names carry digests, so that names and sizes tell all of an object but a bit that flipped there.
    The folders of keys that begin alike are asked for once each, with one request for every 1000
    objects: 256 of them tell of 60,000 networks.

    Args:
        bucket: what is behind the URL.
    """

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        # Of a name and a size only their hash: there may be half a million of them.
        self._seen: dict[str, frozenset[int]] = {}

    def has(self, key: str, folder: Path) -> bool:
        """Returns whether all that a folder's cell consists of is behind the URL too.

        Raises:
            OSError: if the folder has none, or it cannot be read.
            UnreachableError: if the URL does not tell.
        """
        begin, sizes = key[:2], _sizes(key, folder)
        if begin not in self._seen:
            self._seen[begin] = frozenset(map(hash, self._bucket.sizes(begin).items()))
        if self._seen[begin].issuperset(map(hash, sizes.items())):
            return True
        # Another process may have put it since.
        return sizes.items() <= self._bucket.sizes(_place(key)).items()


def _sizes(key: str, folder: Path) -> dict[str, int]:
    """Returns name -> bytes of the objects that a folder's cell is to be."""
    files = cells.sealed_files(read_whole(folder / cells.SEAL), key)
    paths = {_name(key, name, sha): folder / name for name, sha in files.items()}
    paths[_seal(key)] = folder / cells.SEAL
    return {name: path.stat().st_size for name, path in paths.items()}


def _seal(key: str) -> str:
    return f"{_place(key)}/{cells.SEAL}"


def _name(key: str, name: str, sha: str) -> str:
    stem, _, ending = name.partition(".")
    return f"{_place(key)}/{stem}-{sha[:_DIGITS]}.{ending}"


def _place(key: str) -> str:
    return f"{key[:2]}/{key}"
