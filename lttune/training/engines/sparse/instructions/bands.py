"""Bands of places of pictures in registers: the batch is the vector axis.

A place of a picture is ``LANES`` examples wide, one register of the CPU. A register of numba's
holds ``BAND_COLUMNS`` neighbouring places of a row, and a band is two such rows: as many sums as
leave room for what they are summed from.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types

from lttune.training.engines.sparse.instructions.cpu import compiled_for
from lttune.training.engines.sparse.instructions.registers import (
    CONTRACT,
    Register,
    address,
    instruction,
    shuffled_lanes,
    zeros_of,
)

LANES, BAND_COLUMNS = (16, 8) if "avx512f" in compiled_for()[1] else (8, 4)
"""Examples of a place, and places of a band's row: 16 sums of 32 registers, or 8 of 16."""
ROW_LANES = LANES * BAND_COLUMNS

CHUNK = 2 * LANES if LANES == 16 else LANES
"""Channels whose gradients of all nine places of a 3 x 3 convolution stay in registers."""

zeros_place, zeros_row, zeros_chunk = zeros_of(LANES), zeros_of(ROW_LANES), zeros_of(CHUNK)

_PLACE = ir.VectorType(ir.FloatType(), LANES)


def _place(builder: Any, row: Any, k: int) -> Any:
    """Emits the lanes of the place ``k`` of a row; these are a register, so that it is free."""
    return shuffled_lanes(builder, row, row, list(range(LANES * k, LANES * (k + 1))))


@instruction
def products(_typing: Any, sums: Any, row: Any, array: Any, offset: Any) -> Any:
    """Returns ``sums`` plus the products of a row's places with those of an array, place by place.

    ``sums`` has the lanes of a place, ``row`` of ``BAND_COLUMNS`` places.
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        result, own, value, at = arguments
        data = address(context, builder, array, value, at, _PLACE)
        for k in range(BAND_COLUMNS):
            pointer = builder.gep(data, [ir.IntType(64)(k)])
            other = builder.load(pointer, align=4)
            product = builder.fmul(_place(builder, own, k), other, flags=CONTRACT)
            result = builder.fadd(product, result, flags=CONTRACT)
        return result

    return Register(LANES)(sums, row, array, types.int64), emit


@instruction
def folded(_typing: Any, row: Any) -> Any:
    """Returns the sum of a row's places."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        parts = [_place(builder, arguments[0], k) for k in range(BAND_COLUMNS)]
        while len(parts) > 1:
            parts = [builder.fadd(a, b) for a, b in zip(parts[::2], parts[1::2], strict=True)]
        return parts[0]

    return Register(LANES)(row), emit
