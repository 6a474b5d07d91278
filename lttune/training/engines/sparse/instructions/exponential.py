"""exp of a register: LLVM's own would call the scalar function lane by lane."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from lttune.training.engines.sparse.instructions.registers import (
    CONTRACT,
    call,
    constant,
    instruction,
)

_LOG2_E, _LN2_HIGH, _LN2_LOW = 1.4426950408889634, 0.693359375, -2.12194440e-4
_ROUND = 12582912.0
"""1.5 * 2^23: adding it rounds a small float32 to an integer, held in its lowest bits."""
_TAYLOR = (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 0.5)
"""Coefficients of the Cephes library (Moshier), within 2 ulp on [-ln 2 / 2, ln 2 / 2]."""
_LEAST = -87.0


@instruction
def exponential(_typing: Any, a: Any) -> Any:
    """Returns e to the power of each lane; lanes are at most 0, below -87 count as -87."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x = arguments[0]
        floats, ints = x.type, ir.VectorType(ir.IntType(32), x.type.count)

        def whole(value: int) -> ir.Constant:
            return ir.Constant(ints, [value] * ints.count)

        def fma(a: Any, b: float | Any, c: float | Any) -> Any:
            b = constant(floats, b) if isinstance(b, float) else b
            c = constant(floats, c) if isinstance(c, float) else c
            return builder.fadd(builder.fmul(a, b, flags=CONTRACT), c, flags=CONTRACT)

        least = constant(floats, _LEAST)
        x = builder.select(builder.fcmp_ordered("<", x, least), least, x)
        # The sum must be rounded, not simplified: no flag may let LLVM reassociate it.
        shifted = call(
            builder,
            f"llvm.fma.v{floats.count}f32",
            floats,
            x,
            constant(floats, _LOG2_E),
            constant(floats, _ROUND),
        )
        power = builder.fsub(shifted, constant(floats, _ROUND))
        rest = fma(power, -_LN2_LOW, fma(power, -_LN2_HIGH, x))
        series = constant(floats, _TAYLOR[0])
        for coefficient in _TAYLOR[1:]:
            series = fma(series, rest, coefficient)
        series = fma(builder.fmul(series, rest), rest, builder.fadd(rest, constant(floats, 1.0)))
        exponent = builder.add(
            builder.shl(builder.bitcast(shifted, ints), whole(23)), whole(127 << 23)
        )
        return builder.fmul(series, builder.bitcast(exponent, floats))

    return a(a), emit
