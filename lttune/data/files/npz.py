"""An .npz file of one's own pictures, as ``numpy.savez`` writes it; no pickle in it is read.

It holds train_x, train_y, test_x and test_y (or x_train and so on), or x and y alone, of which a
fixed fifth, drawn at random, is the test part. What a file promises is held against its bytes
before room is made for it.
"""

from __future__ import annotations

import contextlib
import math
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from lttune.config.seeding import stream
from lttune.errors import DataError, StorageError, listed
from lttune.records.capacity import require_memory
from lttune.store.files import reason_of, write_atomically, write_errors, write_once
from lttune.store.regular import is_of_content, most_memory, regular_size
from lttune.store.sealed import BLANK, FILES_SCHEMA, require_known, seal_file, verify_file

ARRAYS = ("train_x", "train_y", "test_x", "test_y")
ARRAY_NAMES = (
    {name: name for name in ARRAYS},
    {name: "_".join(reversed(name.split("_"))) for name in ARRAYS},
    {"train_x": "x", "train_y": "y", "test_x": "x", "test_y": "y"},
)
"""What a file calls its arrays: one of these; of the last the test part is drawn."""
HEADS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
"""Version of an .npy file -> who reads its head."""
PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""How ``numpy.savez`` and ``savez_compressed`` pack; Python unpacks others without a bound."""
LEAST_PICTURES = 5
"""Of which a fifth is one."""
_PIECE = 1 << 20
"""Bytes that are compared at once."""
_SCHEMA = "lttune-schema:"


def read(path: Path) -> dict[str, np.ndarray]:
    """Returns the arrays train_x, train_y, test_x and test_y of a file.

    Raises:
        LttuneError: as ``read_named``.
    """
    return read_named(path)[0]


def read_named(path: Path) -> tuple[dict[str, np.ndarray], Mapping[str, str]]:
    """Returns the arrays train_x, train_y, test_x and test_y of a file, and what it calls them.

    Raises:
        DataError: if there is no such file, or it lacks an array, has those of several forms, is
            damaged, or promises more than its bytes can hold.
        StorageError: if it cannot be read.
    """
    try:
        size = regular_size(path)
    except FileNotFoundError:
        raise DataError(f"{path} does not exist") from None
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror or error}") from error
    try:
        with zipfile.ZipFile(path) as file:
            return _arrays(path, _Members(path, file, most_memory(size)))
    except DataError:
        raise
    except MemoryError as error:
        raise DataError(f"{path} does not fit into memory: {reason_of(error)}") from error
    except Exception as error:  # Damaged zips and headers raise anything.
        reason = reason_of(error)
        if is_of_content(error):
            text = f"{path} is damaged or holds Python objects: {reason}"
            raise DataError(text) from error
        raise StorageError(f"{path} cannot be read: {reason}") from error


class _Members:
    """The arrays of a file by their names, each read when it is asked for.

    Args:
        path: of the file.
        file: the file.
        most: bytes that all of them together may fill.
    """

    def __init__(self, path: Path, file: zipfile.ZipFile, most: int) -> None:
        self._path, self._file, self._most, self._filled = path, file, most, 0
        self.names = [n.removesuffix(".npy") for n in file.namelist() if n.endswith(".npy")]

    def array(self, name: str) -> np.ndarray:
        """Returns an array, after a look at what it promises.

        Raises:
            DataError: if that is more than there is.
            MemoryError: if it and those before it are more than this job may use.
        """
        entry = self._file.getinfo(f"{name}.npy")
        self._most -= entry.file_size
        if self._most < 0:
            raise DataError(
                f"{self._path}: {name} promises {entry.file_size} bytes, more than a file of this "
                "size may fill in memory"
            )
        if entry.compress_type not in PACKED:
            raise DataError(f"{self._path}: {name} must be packed as numpy.savez does")
        with self._file.open(entry) as member:
            shape, dtype = _promised(member)
            size, left = math.prod(shape) * dtype.itemsize, entry.file_size - member.tell()
        if size != left:
            raise DataError(f"{self._path}: {name} promises {size} bytes, {shape}, and has {left}")
        self._filled += size
        require_memory(self._filled)
        # Not sought back to its start: then its checksum would not be looked at any more.
        with self._file.open(entry) as member:
            return npy.read_array(member, allow_pickle=False)


def _promised(member: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    """Returns shape and type that the head of an .npy file promises; the numbers follow it.

    Raises:
        ValueError: if it is no head of numbers.
    """
    version = npy.read_magic(member)
    if version not in HEADS:
        raise ValueError(f"version {version} of its arrays is unknown")
    shape, _, dtype = HEADS[version](member)
    if dtype.hasobject or dtype.itemsize == 0:
        raise ValueError(f"{dtype} is no type of numbers")
    return shape, dtype


def _arrays(path: Path, file: _Members) -> tuple[dict[str, np.ndarray], Mapping[str, str]]:
    met = [form for form in ARRAY_NAMES if not {*form.values()}.isdisjoint(file.names)]
    if len(met) != 1 or not {*met[0].values()} <= {*file.names}:
        sets = [[*dict.fromkeys(form.values())] for form in ARRAY_NAMES]
        known = {name for names in sets for name in names}
        found = sorted(file.names, key=lambda name: (name not in known, name))
        raise DataError(
            f"{path} must hold the arrays of one of these sets{', alone' if met[1:] else ''}: "
            f"{'; '.join(map(listed, sets))}; found {listed(found) or 'nothing'}"
        )
    (form,) = met
    if form is ARRAY_NAMES[-1]:
        return with_test_part(path, file.array("x"), file.array("y")), form
    return {name: file.array(stored) for name, stored in form.items()}, form


def with_test_part(path: Path, x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    """Returns a test part of a fifth, the same each time, and the rest as the training part.

    It is drawn from all pictures, not class by class: its shares of the classes are theirs but for
    chance.

    Raises:
        DataError: if x and y are not of one length of at least 5, or the training part would be
            left without a class.
    """
    if x.ndim == 0 or y.shape != x.shape[:1] or len(y) < LEAST_PICTURES:
        rule = f"[N] with x's N >= {LEAST_PICTURES}"
        raise DataError(f"{path}: y must be {rule}, got {y.shape} for x {x.shape}")
    order = stream(0, 0, "own-test").permutation(len(y))
    test, train = np.sort(order[: len(y) // 5]), np.sort(order[len(y) // 5 :])
    if np.issubdtype(y.dtype, np.integer) and len(lost := np.setdiff1d(y, y[train])):
        raise DataError(
            f"{path}: each class must have a picture in the training part; the fifth that is drawn "
            f"as the test part took all of {listed(lost.tolist())}: give both parts"
        )
    return {"train_x": x[train], "train_y": y[train], "test_x": x[test], "test_y": y[test]}


def write_sealed(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Writes arrays as an .npz file of a study, for ``read_sealed``; others read it as any.

    Its schema and its digest are the archive's comment, at its end.

    Raises:
        StorageError: if it cannot be written.
    """
    with write_errors(path), write_atomically(path) as temporary:
        with temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        with zipfile.ZipFile(temporary, "a") as archive:
            archive.comment = f"{_SCHEMA}{FILES_SCHEMA} {BLANK}".encode()
        seal_file(temporary)


def read_sealed(path: Path) -> dict[str, np.ndarray]:
    """Returns what ``write_sealed`` was given, or an earlier version wrote without a digest.

    Raises:
        DataError: as ``read``.
        StorageError: if it cannot be read.
        DamagedError: if it is not what was written.
        RefusedError: if a newer lttune wrote it.
    """
    with contextlib.suppress(FileNotFoundError):
        is_sealed, end = verify_file(path)
        require_known(path, _schema_in(end), is_sealed, names_study=False)
    return read(path)


def _schema_in(end: bytes) -> int | None:
    """Returns the schema that the end of a file names; None if it names none."""
    said = re.search(rf"{_SCHEMA}(\d+) [^ ]*\Z", end.decode(errors="replace"))
    return int(said[1]) if said else None


def holds(path: Path, arrays: dict[str, np.ndarray]) -> bool:
    """Returns whether a file is what ``write_sealed`` writes of arrays; not all is in memory."""
    try:
        is_sealed, end = verify_file(path)
        if not is_sealed or not 0 < (_schema_in(end) or 0) <= FILES_SCHEMA:
            return False
        with zipfile.ZipFile(path) as archive:
            return archive.namelist() == [f"{name}.npy" for name in arrays] and all(
                _is_same(archive, f"{name}.npy", array) for name, array in arrays.items()
            )
    except Exception:  # Whatever it is, it is not that.
        return False


def _is_same(archive: zipfile.ZipFile, name: str, array: np.ndarray) -> bool:
    """Returns whether a member of an archive is an array, compared piece by piece."""
    with archive.open(name) as member:
        if _promised(member) != (array.shape, array.dtype):
            return False
        data = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
        starts = range(0, len(data), _PIECE)
        return all(member.read(_PIECE) == data[start : start + _PIECE] for start in starts)


def write_new(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Writes arrays as an .npz file that ``read`` reads, where nothing is yet.

    Raises:
        FileExistsError: if something is there already; it stays.
        StorageError: if it cannot be written.
    """
    with write_once(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
