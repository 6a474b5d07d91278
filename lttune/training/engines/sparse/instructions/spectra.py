"""Winograd's transforms of F(2 x 2, 3 x 3): sixteen products give four sums of nine.

Lavin & Gray (2016), "Fast algorithms for convolutional neural networks". Tiles of 4 x 4 places
overlap by two; a tile's spectrum has as many numbers as the tile, each ``LANES`` examples wide.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types

from lttune.training.engines.sparse.instructions.bands import LANES
from lttune.training.engines.sparse.instructions.endings import ADDED, GATED, PLAIN, RELU
from lttune.training.engines.sparse.instructions.registers import (
    address,
    broadcast,
    constant,
    instruction,
)

_PLACE = ir.VectorType(ir.FloatType(), LANES)
_I64 = ir.IntType(64)


def _ahead(builder: Any, a: Any, b: Any, c: Any, d: Any) -> list[Any]:
    """Emits the transform of four places in a row."""
    return [
        builder.fsub(a, c),
        builder.fadd(b, c),
        builder.fsub(c, b),
        builder.fsub(b, d),
    ]


def _back(builder: Any, a: Any, b: Any, c: Any, d: Any) -> list[Any]:
    """Emits two places of four numbers of a spectrum."""
    return [
        builder.fadd(builder.fadd(a, b), c),
        builder.fsub(builder.fsub(b, c), d),
    ]


@instruction
def to_spectrum(
    _typing: Any, source: Any, at: Any, line: Any, target: Any, to: Any, step: Any
) -> Any:
    """Writes the spectrum of a tile: 16 numbers from ``to`` on, ``step`` apart.

    Args:
        source: ``at`` is the offset of the tile, ``line`` the distance of its rows.
        at: see there.
        line: see there.
        target: of the spectrum.
        to: see above.
        step: see above.
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value, begin, distance, target_value, place, apart = arguments
        rows = []
        for k in range(4):
            row_at = builder.add(begin, builder.mul(distance, _I64(k)))
            pointer = address(context, builder, source, value, row_at, _PLACE)
            row = [builder.load(builder.gep(pointer, [_I64(j)]), align=4) for j in range(4)]
            rows.append(_ahead(builder, *row))
        for j in range(4):
            column = _ahead(builder, *[row[j] for row in rows])
            for k, number in enumerate(column):
                there = builder.add(place, builder.mul(apart, _I64(4 * k + j)))
                pointer = address(context, builder, target, target_value, there, _PLACE)
                builder.store(number, pointer, align=4)
        return context.get_dummy_value()

    whole = types.int64
    return types.void(source, whole, whole, target, whole, whole), emit


def _from_spectrum(ending: int) -> Any:
    @instruction
    def from_spectrum(
        _typing: Any, source: Any, at: Any, step: Any, bias: Any, target: Any, to: Any, line: Any
    ) -> Any:
        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            value, begin, apart, scalar, target_value, place, distance = arguments
            numbers = []
            for k in range(16):
                there = builder.add(begin, builder.mul(apart, _I64(k)))
                pointer = address(context, builder, source, value, there, _PLACE)
                numbers.append(builder.load(pointer, align=4))
            rows = [_back(builder, *numbers[4 * k : 4 * k + 4]) for k in range(4)]
            columns = [_back(builder, *[row[j] for row in rows]) for j in range(2)]
            added, zero = broadcast(builder, scalar, _PLACE), constant(_PLACE, 0.0)
            for k in range(2):
                row_at = builder.add(place, builder.mul(distance, _I64(k)))
                row = address(context, builder, target, target_value, row_at, _PLACE)
                for j in range(2):
                    pointer = builder.gep(row, [_I64(j)])
                    sum_ = builder.fadd(columns[j][k], added)
                    if ending == ADDED:
                        sum_ = builder.fadd(sum_, builder.load(pointer, align=4))
                    if ending != PLAIN:
                        by = builder.load(pointer, align=4) if ending == GATED else sum_
                        passes = builder.fcmp_unordered(">", by, zero)
                        sum_ = builder.select(passes, sum_, zero)
                    builder.store(sum_, pointer, align=4)
            return context.get_dummy_value()

        whole = types.int64
        kinds = source, whole, whole, types.float32, target, whole, whole
        return types.void(*kinds), emit

    return from_spectrum


from_spectrum, back_from_spectrum = _from_spectrum(RELU), _from_spectrum(GATED)
all_from_spectrum, add_from_spectrum = _from_spectrum(PLAIN), _from_spectrum(ADDED)
"""Write the four places of a spectrum whose numbers are ``step`` apart, plus a bias, by their
endings."""
