"""The gradients of sixteen weights at once: products over the batch, summed by one tree."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types

from lttune.engines.sparse.registers import CONTRACT, Register, address, halves, instruction

_FLOAT, _I32, _I64 = ir.FloatType(), ir.IntType(32), ir.IntType(64)
_LANES = 16
_SIXTEEN = ir.VectorType(_FLOAT, _LANES)


def _shuffle(builder: Any, a: Any, b: Any, order: list[int]) -> Any:
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(_I32, len(order)), order))


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
def dots(_typing: Any, by: Any, columns: Any, at: Any, rows: Any, base: Any) -> Any:
    """Returns 16 sums: of ``by`` times the row of 64 lanes that each of 16 columns names.

    Args:
        by: Register(64).
        columns: int32 array.
        at: offset of the first of the 16 columns.
        rows: rows of 64, float32 or bfloat16 as ``load`` has them.
        base: offset of row 0.
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector, column_values, first, row_values, offset = arguments
        data = context.make_array(columns)(context, builder, column_values).data
        parts = [_shuffle(builder, vector, vector, list(range(k, k + 16))) for k in (0, 16, 32, 48)]
        sums = []
        for weight in range(_LANES):
            pointer = builder.gep(data, [builder.add(first, _I64(weight))])
            row = builder.shl(builder.sext(builder.load(pointer), _I64), _I64(6))
            start = builder.add(row, offset)
            if rows.dtype == types.float32:
                pointer = address(context, builder, rows, row_values, start, _SIXTEEN)
                quarters = [
                    builder.load(builder.gep(pointer, [_I64(k)]), align=4) for k in range(4)
                ]
            else:
                pointer = address(context, builder, rows, row_values, start, ir.IntType(16))
                quarters = halves(builder, pointer)
                quarters += halves(builder, builder.gep(pointer, [_I64(32)]))
            products = None
            for part, quarter in zip(parts, quarters, strict=True):
                product = builder.fmul(part, quarter, flags=CONTRACT)
                if products is not None:
                    product = builder.fadd(product, products, flags=CONTRACT)
                products = product
            sums.append(products)
            # Merging as soon as two are there keeps few registers alive.
            step, count = 0, weight + 1
            while count % 2 == 0:
                b, a = sums.pop(), sums.pop()
                left, right = (_shuffle(builder, a, b, order) for order in _STEPS[step])
                sums.append(builder.fadd(left, right))
                step, count = step + 1, count // 2
        order = _order()
        return _shuffle(builder, sums[0], sums[0], order)

    return Register(_LANES)(by, columns, types.int64, rows, types.int64), emit
