"""A dataset's pictures, the lists of their lit pixels and its labels, looked through once each."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from torch import Tensor

from lttune.data.resident import Examples
from lttune.errors import ResourceError
from lttune.training.engines.sparse.memory import Pixels

_PART = 1_000
"""Pictures listed at a time: what is needed meanwhile stays small."""

T = TypeVar("T")


class _Lists(NamedTuple):
    pictures: np.ndarray
    ends: np.ndarray
    places: np.ndarray
    shades: np.ndarray


def _flat(pictures: Tensor) -> np.ndarray:
    # A tensor of its own: an array of ``pictures`` itself would keep it from being forgotten.
    return pictures.detach().reshape(-1).numpy()


def _lists(pictures: Tensor) -> _Lists:
    flat = _flat(pictures).reshape(len(pictures), -1)
    ends = np.zeros(len(flat) + 1, np.int64)
    np.cumsum(np.count_nonzero(flat, axis=1), out=ends[1:])
    # Whole registers are read: there is room behind the end.
    places, shades = np.zeros(ends[-1] + 16, np.uint16), np.zeros(ends[-1] + 16, np.uint8)
    for start in range(0, len(flat), _PART):
        part = flat[start : start + _PART]
        rows, columns = np.nonzero(part)
        to = slice(ends[start], ends[start] + len(rows))
        places[to], shades[to] = columns, part[rows, columns]
    return _Lists(flat.reshape(-1), ends, places, shades)


def _extent(labels: Tensor) -> tuple[int, int]:
    return (int(labels.min()), int(labels.max())) if len(labels) else (0, 0)


class _Remembered(Generic[T]):
    """What was found out about tensors that are in use and do not change."""

    def __init__(self, find: Callable[[Tensor], T]) -> None:
        self._find = find
        self._known: dict[int, tuple[weakref.ref[Tensor], T]] = {}

    def of(self, tensor: Tensor) -> T:
        key = id(tensor)
        if key not in self._known or self._known[key][0]() is not tensor:
            forget = weakref.ref(tensor, lambda _: self._known.pop(key, None))
            self._known[key] = forget, self._find(tensor)
        return self._known[key][1]


class PixelLists:
    """Lists of lit pixels of the tensors of pictures that are in use."""

    def __init__(self) -> None:
        self._lists, self._extents = _Remembered(_lists), _Remembered(_extent)
        self._flats = _Remembered(_flat)

    def of(self, examples: Examples, classes: int) -> Pixels:
        """Returns the lists of examples, whose pictures and labels do not change while they live.

        Raises:
            IndexError: as ``labels`` does.
            ResourceError: if pixels are not all scaled alike.
        """
        if not isinstance(examples.shift, float) or not isinstance(examples.gain, float):
            raise ResourceError("the sparse engine scales all pixels alike; use the torch engine")
        labels, dark = self.labels(examples, classes), examples.shift * examples.gain
        return Pixels(*self._lists.of(examples.x), labels, examples.gain, dark)

    def labels(self, examples: Examples, classes: int) -> np.ndarray:
        """Returns the classes of examples, which do not change while they live.

        Raises:
            IndexError: if a label is none of so many classes: kernels would write elsewhere.
        """
        least, largest = self._extents.of(examples.y)
        if least < 0 or largest >= classes:
            raise IndexError(
                f"labels must be from 0 to {classes - 1}, the network's last class: "
                f"got {least} to {largest}"
            )
        return examples.y.numpy()

    def flat(self, examples: Examples) -> np.ndarray:
        """Returns the pixels of examples (uint8, flat), whose pictures do not change likewise."""
        return self._flats.of(examples.x)
