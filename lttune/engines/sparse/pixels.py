"""A dataset's pictures, and the lists of their lit pixels, made once per dataset."""

from __future__ import annotations

import weakref
from typing import NamedTuple

import numpy as np
from torch import Tensor

from lttune.data.resident import Examples
from lttune.engines.sparse.memory import Pixels
from lttune.errors import ResourceError

_PART = 1_000
"""Pictures listed at a time: what is needed meanwhile stays small."""


class _Lists(NamedTuple):
    pictures: np.ndarray
    ends: np.ndarray
    places: np.ndarray
    shades: np.ndarray


def _lists(pictures: Tensor) -> _Lists:
    # A tensor of its own: an array of ``pictures`` itself would keep it from being forgotten.
    flat = pictures.detach().reshape(len(pictures), -1).numpy()
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


class PixelLists:
    """Lists of lit pixels of the tensors of pictures that are in use."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[weakref.ref[Tensor], _Lists]] = {}

    def of(self, examples: Examples) -> Pixels:
        """Returns the lists of examples, whose pictures do not change while they live."""
        pictures, key = examples.x, id(examples.x)
        if key not in self._known or self._known[key][0]() is not pictures:
            forget = weakref.ref(pictures, lambda _: self._known.pop(key, None))
            self._known[key] = forget, _lists(pictures)
        if not isinstance(examples.shift, float) or not isinstance(examples.gain, float):
            raise ResourceError("the sparse engine scales all pixels alike; use the torch engine")
        labels, dark = examples.y.numpy(), examples.shift * examples.gain
        return Pixels(*self._known[key][1], labels, examples.gain, dark)
