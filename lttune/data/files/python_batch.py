"""CIFAR's files for Python: pickles of Python 2, read without letting them run anything.

A pickle names functions to be called. Three names occur in these files, all of NumPy, and each is
answered with a dummy that only takes down the bytes of an array; any other name is refused.
"""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np

from lttune.errors import DataError, lacks_memory


class _Stated:
    """Stands for an array or its element type: keeps the state that the pickle sets."""

    state: tuple[Any, ...] = ()

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.state = state


def _stated(*_: Any) -> _Stated:
    return _Stated()


_NAMES = {
    f"{module}.{name}"
    for module, name in (
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
    )
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if f"{module}.{name}" not in _NAMES:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return _stated


def read(data: bytes, labels: str, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns the pictures (uint8, [N, 3072]) and classes (int64, [N]) of a file.

    Args:
        data: the file.
        labels: the key of the classes: labels, or fine_labels of CIFAR-100.
        name: what an error calls the file.

    Raises:
        DataError: if the file holds something else.
    """
    try:
        # Python 2's strings hold bytes: latin1 gives each byte the character of its number.
        values = _Unpickler(io.BytesIO(data), encoding="latin1").load()
        _, shape, _, _, pixels = values["data"].state
        raw = pixels if isinstance(pixels, bytes) else pixels.encode("latin1")
        x = np.frombuffer(raw, np.uint8).reshape(shape)
        y = np.array(values[labels], np.int64)
    except Exception as error:  # Damaged pickles raise anything.
        if lacks_memory(error):
            raise
        raise DataError(f"{name} is no batch of CIFAR: {error}") from error
    if x.shape != (len(y), 3 * 32 * 32):
        raise DataError(f"{name} must hold {len(y)} pictures of 3072 bytes, found {x.shape}")
    return x, y
