"""A folder of one's own pictures: one folder a class, their names in order being 0, 1, 2, ...

The class folders may lie in ``train/`` and ``test/`` (or ``val/``); else a fixed fifth of the
pictures, drawn at random, is the test part. Read is what Pillow decodes: PNG, JPEG and others.
Pictures are grey if all of them are, else they have three channels. What operating systems leave in
folders (``regular.is_of_system``) is no picture and no class, whatever its ending.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np

from lttune.data.files.npz import LEAST_PICTURES, with_test_part
from lttune.data.files.picture import GREY_MODES, picture_head, picture_pixels
from lttune.errors import DataError, StorageError
from lttune.records.capacity import require_memory
from lttune.store.regular import is_of_system

ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".pgm", ".tif", ".tiff", ".webp"}


def read(path: Path, size: int | None = None) -> dict[str, np.ndarray]:
    """Returns the arrays train_x ([N, H, W] or [N, H, W, 3]), train_y, test_x and test_y.

    Args:
        path: the folder.
        size: the edge of the squares that all pictures are made: the shorter edge is resized to
            it (bilinear, antialiased), then the centre is cut out. None leaves them as they are.

    Raises:
        DataError: if the folder does not hold what it must, or a picture is damaged, promises more
            than its bytes can hold, or has another size than the first.
        StorageError: if something cannot be read.
    """
    try:
        return _read(path, size)
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror or error}") from error


def _read(path: Path, size: int | None) -> dict[str, np.ndarray]:
    if not path.is_dir():
        what = (
            "it is a file, and of files only .npz are taken"
            if os.path.lexists(path)
            else "it is not there"
        )
        raise DataError(f"{path} is no folder of pictures: {what}")
    part, *test = _parts(path)
    names = _folders(part)
    files, classes = _files(part, names)
    if not test:
        if len(files) < LEAST_PICTURES:
            least = f"{LEAST_PICTURES} pictures or more, of which a fifth is the test part"
            raise DataError(f"{path} must hold {least}, got {len(files)}")
        return with_test_part(path, _decoded(files, size), np.array(classes))
    test_files, test_classes = _files(test[0], names)
    x = _decoded([*files, *test_files], size)
    return {
        "train_x": x[: len(files)],
        "train_y": np.array(classes),
        "test_x": x[len(files) :],
        "test_y": np.array(test_classes),
    }


def passed_over(path: Path) -> list[Path]:
    """Returns what a folder that ``read`` reads holds besides its classes and their pictures.

    Raises:
        StorageError: if something cannot be read.
    """
    parts = _parts(path)
    found: list[Path] = []
    try:
        if path not in parts:
            found += [entry for entry in path.iterdir() if entry not in parts]
        for part in parts:
            names = _folders(part)
            found += [entry for entry in part.iterdir() if entry.name not in names]
            for name in names:
                found += [entry for entry in (part / name).iterdir() if not _is_picture(entry)]
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror or error}") from error
    return sorted(found)


def _parts(path: Path) -> list[Path]:
    """Returns the training and the test part; the folder itself if it has none."""
    test = next((path / name for name in ("test", "val") if (path / name).is_dir()), None)
    return [path / "train", test] if test is not None and (path / "train").is_dir() else [path]


def _folders(path: Path) -> list[str]:
    return sorted(p.name for p in path.iterdir() if p.is_dir() and not is_of_system(p.name))


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in ENDINGS and not is_of_system(path.name)


def _files(path: Path, names: list[str]) -> tuple[list[Path], list[int]]:
    """Returns the pictures below ``path`` with their classes, in an order that all machines share.

    Raises:
        DataError: if a class has no picture, or no name.
    """
    if strange := set(_folders(path)) - set(names):
        raise DataError(f"{path} must have the classes of train/, got {', '.join(sorted(strange))}")
    if len(names) < 2:
        raise DataError(f"{path} must hold a folder of pictures for each of 2 classes or more")
    files: list[Path] = []
    classes: list[int] = []
    for number, name in enumerate(names):
        found = sorted(filter(_is_picture, (path / name).glob("*")))
        if not found:
            raise DataError(f"{path / name} must hold a picture ({', '.join(sorted(ENDINGS))})")
        files += found
        classes += [number] * len(found)
    return files, classes


def _decoded(files: list[Path], size: int | None) -> np.ndarray:
    # A first pass reads the heads alone: only then is the one array known, and room made for it.
    heads = {file: picture_head(file) for file in files}
    mode = "L" if all(mode in GREY_MODES for mode, _ in heads.values()) else "RGB"
    width, height = (size, size) if size else heads[files[0]][1]
    for file, (_, found) in heads.items():
        if not size and found != (width, height):
            raise DataError(
                f"{file} must have the {width} x {height} pixels of {files[0]}, got "
                f"{found[0]} x {found[1]}; make them one size with lttune data FOLDER --size"
            )
    shape = (len(files), height, width, 3)[: 4 if mode == "RGB" else 3]
    try:
        require_memory(math.prod(shape))
        x = np.empty(shape, np.uint8)
    except (MemoryError, ValueError):
        raise DataError(
            f"{len(files)} pictures of {width} x {height} pixels do not fit into memory"
        ) from None
    for at, file in enumerate(files):
        x[at] = picture_pixels(file, mode, size)
    return x
