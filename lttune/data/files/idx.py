"""The IDX format of MNIST (LeCun et al., 1998): a magic number, the dimensions, then the bytes.

All numbers are big-endian and 32 bits wide. The magic number is ``0x00000800 + dimensions`` for
bytes without sign, the only element type that MNIST uses.
"""

from __future__ import annotations

import math
import struct

import numpy as np

from lttune.errors import DataError


def parse(data: bytes, name: str, dimensions: int) -> np.ndarray:
    """Returns the uint8 array of an IDX file, a copy of its own.

    Nothing is allocated before the header has been checked against the bytes that are there, so
    a header that lies costs nothing.

    Args:
        data: the whole file, decompressed.
        name: what an error calls the file.
        dimensions: how many the array must have: 3 for pictures, 1 for labels.

    Raises:
        DataError: if the header or the number of bytes is not what it must be.
    """
    header = 4 * (1 + dimensions)
    if len(data) < header:
        raise DataError(f"{name}: expected an IDX header of {header} bytes, found {len(data)}")
    magic, *shape = struct.unpack_from(f">{1 + dimensions}I", data)
    expected = 0x00000800 + dimensions
    if magic != expected:
        raise DataError(f"{name}: expected IDX magic 0x{expected:08x}, found 0x{magic:08x}")
    claim = " x ".join(map(str, shape))
    # An empty claim would pass the check of the size, whatever its other dimensions.
    if 0 in shape:
        raise DataError(f"{name}: expected dimensions of at least 1, found {claim}")
    size = header + math.prod(shape)
    if size != len(data):
        raise DataError(f"{name}: expected {size} bytes for {claim} examples, found {len(data)}")
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape).copy()
