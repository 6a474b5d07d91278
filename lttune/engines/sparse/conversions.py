"""Sixteen numbers at a time: to wider types, and from rows to columns."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types

from lttune.engines.sparse.registers import address, instruction

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


@instruction
def transpose(
    _typing: Any, source: Any, start: Any, row: Any, target: Any, to: Any, column: Any
) -> Any:
    """Copies 16 rows of 16 float32 to 16 columns.

    Args:
        source: ``start`` is the offset of the first row, ``row`` the distance of rows.
        start: offset in ``source``.
        row: distance of rows in ``source``.
        target: ``to`` is the offset of the first column, ``column`` the distance of columns.
        to: offset in ``target``.
        column: distance of columns in ``target``.
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source_value, first, row_step, target_value, place, column_step = arguments
        rows = []
        for k in range(16):
            at = builder.add(first, builder.mul(row_step, _I64(k)))
            pointer = address(context, builder, source, source_value, at, _FLOATS)
            rows.append(builder.load(pointer, align=4))
        # Exchanging halves, quarters, eighths and sixteenths of two rows transposes all 16.
        for width in (8, 4, 2, 1):
            low = [k if k & width == 0 else k - width + 16 for k in range(16)]
            high = [k + width if k & width == 0 else k + 16 for k in range(16)]
            for k in range(16):
                if k & width == 0:
                    a, b = rows[k], rows[k + width]
                    rows[k] = builder.shuffle_vector(a, b, ir.Constant(_INTS, low))
                    rows[k + width] = builder.shuffle_vector(a, b, ir.Constant(_INTS, high))
        for k, values in enumerate(rows):
            at = builder.add(place, builder.mul(column_step, _I64(k)))
            pointer = address(context, builder, target, target_value, at, _FLOATS)
            builder.store(values, pointer, align=4)
        return context.get_dummy_value()

    offset = types.int64
    return types.void(source, offset, offset, target, offset, offset), emit
