"""An .npz file of one's own pictures, as ``numpy.savez`` writes it; no pickle in it is read.

It holds train_x, train_y, test_x and test_y (or x_train and so on), or x and y alone, of which a
fixed fifth, drawn at random, is the test part.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from lttune.config.seeding import stream
from lttune.errors import DataError, StorageError
from lttune.store.files import write_atomically, write_errors

ARRAYS = ("train_x", "train_y", "test_x", "test_y")


def read(path: Path) -> dict[str, np.ndarray]:
    """Returns the arrays train_x, train_y, test_x and test_y of a file.

    Raises:
        DataError: if there is no such file, or it lacks an array or is damaged.
        StorageError: if it cannot be read.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise DataError(f"{path} must be an .npz file, found a single array")
            return _arrays(path, file)
    except FileNotFoundError:
        raise DataError(f"{path} does not exist") from None
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path} is damaged or holds Python objects: {error}") from error
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror or error}") from error


def _arrays(path: Path, file: np.lib.npyio.NpzFile) -> dict[str, np.ndarray]:
    turned = {name: "_".join(reversed(name.split("_"))) for name in ARRAYS}
    for names in ({name: name for name in ARRAYS}, turned):
        if all(stored in file for stored in names.values()):
            return {name: file[stored] for name, stored in names.items()}
    if "x" in file and "y" in file:
        return with_test_part(path, file["x"], file["y"])
    found = ", ".join(sorted(file.files)) or "nothing"
    raise DataError(f"{path} must hold the arrays {', '.join(ARRAYS)}, or x and y; found {found}")


def with_test_part(path: Path, x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    """Returns a test part of a fifth, the same each time, and the rest as the training part.

    Raises:
        DataError: if x and y are not of one length of at least 5.
    """
    if x.ndim == 0 or y.shape != x.shape[:1] or len(y) < 5:
        raise DataError(f"{path}: y must be [N] with x's N >= 5, got {y.shape} for x {x.shape}")
    order = stream(0, 0, "own-test").permutation(len(y))
    test, train = np.sort(order[: len(y) // 5]), np.sort(order[len(y) // 5 :])
    return {"train_x": x[train], "train_y": y[train], "test_x": x[test], "test_y": y[test]}


def write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Writes arrays as an .npz file that ``read`` reads.

    Raises:
        StorageError: if it cannot be written.
    """
    with write_errors(path), write_atomically(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
