"""Sixteen numbers at a time: to wider types, and from rows to columns."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types

from lttune.training.engines.sparse.instructions.registers import (
    address,
    constant,
    instruction,
    shuffled_lanes,
)

_FLOATS, _INTS = ir.VectorType(ir.FloatType(), 16), ir.VectorType(ir.IntType(32), 16)
_I64 = ir.IntType(64)


@instruction
def convert(_typing: Any, source: Any, start: Any, target: Any, to: Any) -> Any:
    """Copies 16 unsigned integers to int32 or float32.

    Args:
        source: of unsigned integers of at most 32 bits; ``start`` is the offset of the first.
        start: offset in ``source``.
        target: of int32 or float32; ``to`` is the offset of the first.
        to: offset in ``target``.
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source_value, first, target_value, place = arguments
        narrow = ir.VectorType(ir.IntType(source.dtype.bitwidth), 16)
        pointer = address(context, builder, source, source_value, first, narrow)
        numbers = builder.load(pointer, align=1)
        if source.dtype.bitwidth < 32:
            numbers = builder.zext(numbers, _INTS)
        if target.dtype == types.float32:
            numbers = builder.sitofp(numbers, _FLOATS)
        pointer = address(context, builder, target, target_value, place, numbers.type)
        builder.store(numbers, pointer, align=4)
        return context.get_dummy_value()

    return types.void(source, types.int64, target, types.int64), emit


def transposer(count: int) -> Any:
    """Returns an instruction that turns ``count`` rows of as many float32, a power of two."""
    row_of = ir.VectorType(ir.FloatType(), count)

    @instruction
    def transpose(
        _typing: Any, source: Any, start: Any, row: Any, target: Any, to: Any, column: Any
    ) -> Any:
        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            source_value, first, row_step, target_value, place, column_step = arguments
            rows = []
            for k in range(count):
                at = builder.add(first, builder.mul(row_step, _I64(k)))
                pointer = address(context, builder, source, source_value, at, row_of)
                rows.append(builder.load(pointer, align=4))
            # Exchanging halves, quarters, eighths ... of two rows transposes all.
            width = count // 2
            while width:
                low = [k if k & width == 0 else k - width + count for k in range(count)]
                high = [k + width if k & width == 0 else k + count for k in range(count)]
                for k in range(count):
                    if k & width == 0:
                        a, b = rows[k], rows[k + width]
                        rows[k] = shuffled_lanes(builder, a, b, low)
                        rows[k + width] = shuffled_lanes(builder, a, b, high)
                width //= 2
            for k, values in enumerate(rows):
                at = builder.add(place, builder.mul(column_step, _I64(k)))
                pointer = address(context, builder, target, target_value, at, row_of)
                builder.store(values, pointer, align=4)
            return context.get_dummy_value()

        offset = types.int64
        return types.void(source, offset, offset, target, offset, offset), emit

    return transpose


transpose = transposer(16)
"""Copies 16 rows of 16 float32 from an offset in an array, so far apart, to 16 columns from an
offset in another, so far apart."""


@instruction
def turn_pixels(_typing: Any, pixels: Any, start: Any, row: Any, x: Any, to: Any) -> Any:
    """Writes 16 pixels of each of 64 examples as 16 rows of 64 bfloat16, in the order of ``load``.

    Args:
        pixels: uint8; ``start`` is the offset of the first example's first pixel.
        start: offset in ``pixels``.
        row: distance of examples in ``pixels``.
        x: uint16; ``to`` is the offset of the first row.
        to: offset in ``x``.
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pixel_value, begin, step, target, place = arguments
        sixteen = ir.VectorType(ir.IntType(8), 16)

        def picture(example: int) -> Any:
            at = builder.add(begin, builder.mul(step, _I64(example)))
            return builder.load(
                address(context, builder, pixels, pixel_value, at, sixteen), align=1
            )

        def join(a: Any, b: Any) -> Any:
            count = 2 * a.type.count
            return shuffled_lanes(builder, a, b, list(range(count)))

        # Byte k of word w becomes the pixel of example 16 k + w: widening is then shifting.
        rows = []
        for r in range(16):
            parts = [picture(16 * (r % 4) + 4 * part + r // 4) for part in range(4)]
            rows.append(join(join(parts[0], parts[1]), join(parts[2], parts[3])))
        # Four times the interleaving of rows 8 apart turns 16 x 16, in each quarter of a register.
        for _ in range(4):
            mixed = []
            for a, b in zip(rows[:8], rows[8:], strict=True):
                for half in (0, 8):
                    order = [
                        16 * part + half + k // 2 + 64 * (k % 2)
                        for part in range(4)
                        for k in range(16)
                    ]
                    mixed.append(shuffled_lanes(builder, a, b, order))
            rows = mixed
        for r, row in enumerate(rows):
            words = builder.bitcast(row, _INTS)
            quarters = []
            for k in range(4):
                bits = builder.lshr(words, constant(_INTS, 8 * k)) if k else words
                bits = builder.and_(bits, constant(_INTS, 255)) if k < 3 else bits
                # A shade has 8 bits, so the lower half of its float32 is zero.
                quarters.append(builder.bitcast(builder.sitofp(bits, _FLOATS), _INTS))
            for pair in range(2):
                even, odd = quarters[2 * pair : 2 * pair + 2]
                both = builder.or_(builder.lshr(even, constant(_INTS, 16)), odd)
                at = builder.add(place, _I64(64 * r + 32 * pair))
                builder.store(both, address(context, builder, x, target, at, _INTS), align=2)
        return context.get_dummy_value()

    offset = types.int64
    return types.void(pixels, offset, offset, x, offset), emit


def _copy(count: int) -> Any:
    vector = ir.VectorType(ir.IntType(8), count)

    @instruction
    def copy(_typing: Any, source: Any, start: Any, target: Any, to: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            source_value, first, target_value, place = arguments
            pointer = address(context, builder, source, source_value, first, vector)
            numbers = builder.load(pointer, align=1)
            pointer = address(context, builder, target, target_value, place, vector)
            builder.store(numbers, pointer, align=1)
            return context.get_dummy_value()

        return types.void(source, types.int64, target, types.int64), emit

    return copy


copy16, copy64 = _copy(16), _copy(64)
"""Copy so many bytes from an offset of one array to an offset of another."""
