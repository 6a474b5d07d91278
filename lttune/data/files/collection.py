"""The published files of a dataset: from the data folder, else fetched once and kept there.

Every file is checked against its published MD5 before anything reads it.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from lttune.data.files.archives import LIMIT, decompressed, md5
from lttune.errors import AbsentError, DataError, StorageError
from lttune.store.disk import is_there
from lttune.store.files import write_atomically
from lttune.store.regular import regular_size

Source = Callable[[Mapping[str, str]], dict[str, bytes]]
"""Takes the md5 of every wanted file and returns the files, or raises ``DataError``."""

_LOG = logging.getLogger(__name__)

_MAY_FETCH = ContextVar("may_fetch", default=True)


@contextlib.contextmanager
def nothing_fetched() -> Iterator[None]:
    """Has ``obtain`` take what the data folder holds, and nothing else."""
    before = _MAY_FETCH.set(False)
    try:
        yield
    finally:
        _MAY_FETCH.reset(before)


@dataclass(frozen=True, kw_only=True)
class Collection:
    """Files that belong together, where a data folder may hold them, and who else has them."""

    name: str
    """What an error calls the dataset."""
    md5: Mapping[str, str]
    """MD5 of each file, decompressed."""
    places: tuple[str, ...]
    """Folders below the data folder; what was fetched is kept in the first."""
    sources: Mapping[str, Source]
    """What is tried for the files that the folder lacks, in this order."""


def obtain(folder: Path, *collections: Collection) -> tuple[dict[str, bytes], str]:
    """Returns the files of the first collection that can be had whole, and where they were.

    Args:
        folder: the data folder.
        collections: forms of the same dataset, each of which would do.

    Raises:
        DataError: if a file of the folder is damaged.
        AbsentError: if a missing one can be had nowhere.
        StorageError: if the folder cannot be read, or what was fetched cannot be kept in it.
    """
    if is_there(folder) and not folder.is_dir():
        # Else everything would be fetched, and could be kept nowhere.
        raise StorageError(f"{folder} must be a folder, in which datasets are kept")
    missing = []
    for collection in collections:
        files = _kept(collection, folder)
        wanted = {name: md5 for name, md5 in collection.md5.items() if name not in files}
        if not wanted:
            return files, "folder"
        missing.append((collection, files, wanted))
    reasons = []
    for collection, files, wanted in missing:
        places = " or ".join(map(str, _places(collection, folder)))
        reasons.append(f"folder ({places} lacks {', '.join(wanted)})")
        if not _MAY_FETCH.get():
            continue
        for source, fetch in collection.sources.items():
            _LOG.info("fetching %s from %s", collection.name, source)
            try:
                fetched = fetch(wanted)
            except DataError as error:
                reasons.append(f"{source} ({error})")
                continue
            for name, data in fetched.items():
                _keep(folder / collection.places[0] / name, data)
            return files | fetched, source
    if not _MAY_FETCH.get():
        raise AbsentError(
            f"{collections[0].name} is not here, and who only reads a study fetches nothing: "
            f"{'; '.join(reasons)}; `lttune data NAME` fetches a dataset"
        )
    raise AbsentError(
        f"{collections[0].name} cannot be had; tried: {'; '.join(reasons)}. Put the files there, "
        "raw or .gz, or point LTTUNE_DATA at a torchvision root that has them"
    )


def _places(collection: Collection, folder: Path) -> list[Path]:
    return [folder / place for place in collection.places]


def _kept(collection: Collection, folder: Path) -> dict[str, bytes]:
    """Returns the files that the folder holds, each checked."""
    files = {}
    places = _places(collection, folder)
    for name, expected in collection.md5.items():
        for path in [place / f"{name}{end}" for place in places for end in ("", ".gz")]:
            data = _read(path)
            if data is None:
                continue
            found = md5(data)
            if found != expected:
                raise DataError(
                    f"{path} is damaged: expected md5 {expected}, found {found}; "
                    "delete it and run again"
                )
            files[name] = data
            break
    return files


def _read(path: Path) -> bytes | None:
    try:
        # Room for as many bytes as are asked for is made before they are read.
        most = min(LIMIT, regular_size(path))
        with path.open("rb") as file:
            return decompressed(file.read(most))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}") from error


def _keep(path: Path, data: bytes) -> None:
    try:
        with write_atomically(path) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        raise StorageError(
            f"{path} was fetched and cannot be written: {error.strerror}; "
            "point LTTUNE_DATA at a folder that can"
        ) from error
