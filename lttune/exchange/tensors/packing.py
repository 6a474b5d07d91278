"""The compact form of a pruned tensor: its survivors' values, and its mask as bits.

Of a tensor NAME there are ``NAME.values`` (its survivors, row by row), ``NAME.mask_bits`` (eight
places a byte, the first in the highest bit; those behind the last place are 0) and ``NAME.shape``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from lttune.errors import DataError
from lttune.models.masks import Mask, from_bits, surviving, survivors, to_bits

COMPACT_PARTS = (".values", ".mask_bits", ".shape")
"""What follows a tensor's name in those of its parts."""
BITS = COMPACT_PARTS[1]
MOST_DIMENSIONS = 8
"""Of a tensor in a file from elsewhere."""


def in_parts(tensors: Mapping[str, Tensor], mask: Mask) -> dict[str, Tensor]:
    """Returns tensors of which those with a mask are in parts, without what is pruned."""
    found: dict[str, Tensor] = {}
    for name, value in tensors.items():
        if name in mask:
            keep = mask[name]
            parts = (survivors(value, keep), to_bits(keep), torch.tensor(keep.shape))
            found |= {name + part: own for part, own in zip(COMPACT_PARTS, parts, strict=True)}
        else:
            found[name] = value
    return found


def put_together(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], Mask]:
    """Returns tensors that are whole again, zero where pruned, and the masks that were with them.

    What is not in parts comes back as it is.

    Raises:
        DataError: if parts of a tensor are missing or do not belong together.
    """
    found = dict(tensors)
    mask: Mask = {}
    for name in [name.removesuffix(BITS) for name in tensors if name.endswith(BITS)]:
        if missing := [name + part for part in COMPACT_PARTS if name + part not in found]:
            raise DataError(f"{name} must have all parts of a compact tensor, lacks {missing[0]}")
        values, bits, shape = (found.pop(name + part) for part in COMPACT_PARTS)
        keep = from_bits(bits, _shape(name, bits, shape))
        count = surviving({name: keep})
        if values.shape != (count,):
            raise DataError(
                f"{name} must have a value for each of {count} survivors, got {tuple(values.shape)}"
            )
        whole = torch.zeros(keep.shape, dtype=values.dtype)
        whole[keep] = values
        found[name], mask[name] = whole, keep
    return found, mask


def _shape(name: str, bits: Tensor, shape: Tensor) -> tuple[int, ...]:
    """Returns the shape of a tensor, of which the bits of a mask are there and no more."""
    is_shape = shape.dtype == torch.int64 and shape.ndim == 1 and len(shape) <= MOST_DIMENSIONS
    sizes = tuple(shape.tolist()) if is_shape else ()
    are_bits = bits.dtype == torch.uint8 and bits.ndim == 1
    if not (sizes and min(sizes) > 0 and are_bits and len(bits) == -(-math.prod(sizes) // 8)):
        raise DataError(
            f"{name} must have a bit for each place of its shape, got {bits.dtype} of "
            f"{tuple(bits.shape)} for {sizes or 'none'}"
        )
    return sizes
