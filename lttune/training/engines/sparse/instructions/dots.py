"""The gradients of sixteen weights at once: products over the batch, summed by one tree."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types

from lttune.training.engines.sparse.instructions.registers import (
    CONTRACT,
    Register,
    address,
    halves,
    instruction,
    shuffled_lanes,
)

_FLOAT, _I32, _I64 = ir.FloatType(), ir.IntType(32), ir.IntType(64)
_LANES = 16
_SIXTEEN = ir.VectorType(_FLOAT, _LANES)


def _picks(pick: list[int], width: int) -> list[int]:
    """Returns the lanes of two vectors that ``pick`` names in groups of ``width``."""
    return [group * width + lane for group in pick for lane in range(width)]


_IN_LANES = [4 * lane for lane in range(4)]
_STEPS = (
    (_picks([0, 1, 4, 5], 4), _picks([2, 3, 6, 7], 4)),
    (_picks([0, 2, 4, 6], 4), _picks([1, 3, 5, 7], 4)),
    (
        [a + k for a in _IN_LANES for k in (0, 1, 16, 17)],
        [a + k for a in _IN_LANES for k in (2, 3, 18, 19)],
    ),
    (
        [a + k for a in _IN_LANES for k in (0, 2, 16, 18)],
        [a + k for a in _IN_LANES for k in (1, 3, 17, 19)],
    ),
)
"""What is added to what when two vectors become one of half sums; a single instruction each."""


def _order() -> list[int]:
    """Returns the lane in which each weight's sum ends: does it with the weights' names."""
    vectors = [[weight] * _LANES for weight in range(_LANES)]
    for left, _ in _STEPS:
        pairs = zip(vectors[::2], vectors[1::2], strict=True)
        vectors = [[(a + b)[lane] for lane in left] for a, b in pairs]
    return [vectors[0].index(weight) for weight in range(_LANES)]


@instruction
def dots(
    _typing: Any,
    delta: Any,
    base: Any,
    begins: Any,
    begin: Any,
    rows: Any,
    x: Any,
    start: Any,
    columns: Any,
    at: Any,
) -> Any:
    """Returns 16 sums of 64 products: of a row of ``delta`` and one of ``x`` for each weight.

    Args:
        delta: float32 rows of 64.
        base: offset of row 0 of ``delta``.
        begins: float32 rows of 16, which are added to the products of each row of ``delta``.
        begin: offset of row 0 of ``begins``.
        rows: int32, which row of ``delta`` and ``begins`` each 4 weights have.
        x: rows of 64, float32 or bfloat16 as ``load`` has them.
        start: offset of row 0 of ``x``.
        columns: int32, which row of ``x`` each weight has.
        at: offset of the first of the 16 weights in ``columns``, 4 times that in ``rows``.
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        delta_value, base_, begin_value, begin_, row_value, x_value, start_, column_value, at_ = (
            arguments
        )

        def offset(indices: Any, value: Any, place: Any, shift: int, zero: Any) -> Any:
            data = context.make_array(indices)(context, builder, value).data
            index = builder.sext(builder.load(builder.gep(data, [place])), _I64)
            return builder.add(builder.shl(index, _I64(shift)), zero)

        def floats(array: Any, value: Any, place: Any) -> list[Any]:
            pointer = address(context, builder, array, value, place, _SIXTEEN)
            return [builder.load(builder.gep(pointer, [_I64(k)]), align=4) for k in range(4)]

        quad, sums, parts, first = builder.lshr(at_, _I64(2)), [], [], None
        for weight in range(_LANES):
            if weight % 4 == 0:
                place = builder.add(quad, _I64(weight // 4))
                parts = floats(delta, delta_value, offset(rows, row_value, place, 6, base_))
                place = offset(rows, row_value, place, 4, begin_)
                pointer = address(context, builder, begins, begin_value, place, _SIXTEEN)
                first = builder.load(pointer, align=4)
            place = offset(columns, column_value, builder.add(at_, _I64(weight)), 6, start_)
            if x.dtype == types.float32:
                quarters = floats(x, x_value, place)
            else:
                pointer = address(context, builder, x, x_value, place, ir.IntType(16))
                quarters = halves(builder, pointer)
                quarters += halves(builder, builder.gep(pointer, [_I64(32)]))
            products = first
            for part, quarter in zip(parts, quarters, strict=True):
                product = builder.fmul(part, quarter, flags=CONTRACT)
                products = builder.fadd(product, products, flags=CONTRACT)
            sums.append(products)
            # Merging as soon as two are there keeps few registers alive.
            step, count = 0, weight + 1
            while count % 2 == 0:
                b, a = sums.pop(), sums.pop()
                left, right = (shuffled_lanes(builder, a, b, order) for order in _STEPS[step])
                sums.append(builder.fadd(left, right))
                step, count = step + 1, count // 2
        order = _order()
        return shuffled_lanes(builder, sums[0], sums[0], order)

    o = types.int64
    return Register(_LANES)(delta, o, begins, o, rows, x, o, columns, o), emit
