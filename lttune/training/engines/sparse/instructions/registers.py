"""Vector registers in numba: float32 vectors of 16 or 64 lanes as values of compiled code.

LLVM breaks a vector into as many registers as the CPU needs: 64 lanes are four AVX-512 registers,
eight of AVX2 or sixteen of NEON. Products are contracted to fused multiply-adds. NaN and infinity
keep their meaning, because a training that diverges must be seen to diverge. Loads and stores take
a 1-D float32 array and an element offset that is not checked.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model

_FLOAT, _I32, _I64 = ir.FloatType(), ir.IntType(32), ir.IntType(64)
CONTRACT = ("contract",)


def instruction(define: Callable[..., Any]) -> Any:
    """``numba.extending.intrinsic``, typed as what compiled code may call with anything."""
    return intrinsic(define)


class Register(types.Type):
    """The numba type of a float32 vector."""

    def __init__(self, lanes: int) -> None:
        super().__init__(name=f"Register({lanes})")
        self.lanes = lanes


@register_model(Register)
class _RegisterModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Register) -> None:
        super().__init__(manager, kind, ir.VectorType(_FLOAT, kind.lanes))


def constant(vector: ir.VectorType, value: float) -> ir.Constant:
    """Returns a vector constant with ``value`` in all lanes."""
    return ir.Constant(vector, [value] * vector.count)


def broadcast(builder: Any, scalar: Any, vector: ir.VectorType) -> Any:
    """Emits a vector with ``scalar`` in all lanes."""
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, _I32(0))
    lanes = ir.Constant(ir.VectorType(_I32, vector.count), [0] * vector.count)
    return builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), lanes)


def call(builder: Any, name: str, result: Any, *arguments: Any, flags: Any = ()) -> Any:
    """Emits a call of an LLVM intrinsic by its full name."""
    kind = ir.FunctionType(result, [a.type for a in arguments])
    function = cgutils.get_or_insert_function(builder.module, kind, name)
    return builder.call(function, arguments, fastmath=flags)


def address(context: Any, builder: Any, array: Any, value: Any, offset: Any, to: Any) -> Any:
    """Emits a pointer of type ``to`` at an element of an array."""
    data = context.make_array(array)(context, builder, value).data
    return builder.bitcast(builder.gep(data, [offset]), to.as_pointer())


def shuffled_lanes(builder: Any, a: Any, b: Any, order: list[int]) -> Any:
    """Emits a vector of the lanes of ``a`` and ``b``, counted through, that ``order`` names."""
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(_I32, len(order)), order))


def zeros_of(lanes: int) -> Any:
    """Returns an instruction that gives a register of so many lanes, all zero."""
    kind = Register(lanes)

    @instruction
    def zeros(_typing: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return constant(ir.VectorType(_FLOAT, lanes), 0.0)

        return kind(), emit

    return zeros


zeros16, zeros64 = zeros_of(16), zeros_of(64)


@instruction
def splat(_typing: Any, like: Any, scalar: Any) -> Any:
    """Returns a register of the lanes of ``like`` with ``scalar`` in all of them."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return broadcast(builder, arguments[1], arguments[0].type)

    return like(like, types.float32), emit


def halves(builder: Any, data: Any) -> list[Any]:
    """Emits 32 float32, two vectors of 16, from 32 bfloat16 at a pointer, the even ones first."""
    words = ir.VectorType(_I32, 16)
    pairs = builder.load(builder.bitcast(data, words.as_pointer()), align=2)
    even = builder.shl(pairs, ir.Constant(words, [16] * 16))
    odd = builder.and_(pairs, ir.Constant(words, [0xFFFF0000] * 16))
    return [builder.bitcast(part, ir.VectorType(_FLOAT, 16)) for part in (even, odd)]


@instruction
def load(_typing: Any, like: Any, array: Any, offset: Any) -> Any:
    """Returns a register of the lanes of ``like`` from an array.

    An array of uint16 holds bfloat16 numbers, 64 of them in the order of ``halves``.
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector, value, at = arguments
        if array.dtype == types.float32:
            pointer = address(context, builder, array, value, at, vector.type)
            return builder.load(pointer, align=4)
        data = address(context, builder, array, value, at, ir.IntType(16))
        parts = halves(builder, data) + halves(builder, builder.gep(data, [_I64(32)]))
        while len(parts) > 1:
            count = 2 * parts[0].type.count
            order = ir.Constant(ir.VectorType(_I32, count), list(range(count)))
            pairs = zip(parts[::2], parts[1::2], strict=True)
            parts = [builder.shuffle_vector(a, b, order) for a, b in pairs]
        return parts[0]

    return like(like, array, types.int64), emit


@instruction
def store(_typing: Any, array: Any, offset: Any, register: Any) -> Any:
    """Writes a register to an array."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value, at, vector = arguments
        pointer = address(context, builder, array, value, at, vector.type)
        builder.store(vector, pointer, align=4)
        return context.get_dummy_value()

    return types.void(array, types.int64, register), emit


@instruction
def item(_typing: Any, array: Any, offset: Any) -> Any:
    """Returns an element of an array without numba's test for a negative index."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value, at = arguments
        data = context.make_array(array)(context, builder, value).data
        return builder.load(builder.gep(data, [at]))

    return array.dtype(array, types.int64), emit


@instruction
def put(_typing: Any, array: Any, offset: Any, value: Any) -> Any:
    """Writes an element of an array without numba's test for a negative index."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        owner, at, element = arguments
        data = context.make_array(array)(context, builder, owner).data
        builder.store(element, builder.gep(data, [at]))
        return context.get_dummy_value()

    return types.void(array, types.int64, array.dtype), emit


@instruction
def prefetch(_typing: Any, array: Any, offset: Any) -> Any:
    """Asks for the cache line of an element of an array."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value, at = arguments
        pointer = address(context, builder, array, value, at, ir.IntType(8))
        read, keep, data = _I32(0), _I32(2), _I32(1)
        call(builder, "llvm.prefetch.p0", ir.VoidType(), pointer, read, keep, data)
        return context.get_dummy_value()

    return types.void(array, types.int64), emit


def _binary(name: str) -> Any:
    @instruction
    def operation(_typing: Any, a: Any, b: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return getattr(builder, name)(*arguments, flags=CONTRACT)

        return a(a, b), emit

    return operation


def _operator(symbol: Any, name: str) -> None:
    operation = _binary(name)

    # Annotations would have to be those of the lambda, which has none.
    @overload(symbol)
    def implementation(a, b):
        if isinstance(a, Register) and a == b:
            return lambda a, b: operation(a, b)
        return None


for _symbol, _name in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _operator(_symbol, _name)


@instruction
def root(_typing: Any, a: Any) -> Any:
    """Returns the square root of each lane."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector = arguments[0].type
        return call(builder, f"llvm.sqrt.v{vector.count}f32", vector, arguments[0])

    return a(a), emit


@instruction
def total(_typing: Any, a: Any) -> Any:
    """Returns the sum over the lanes, by halves."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        name = f"llvm.vector.reduce.fadd.v{arguments[0].type.count}f32"
        start = ir.Constant(_FLOAT, -0.0)
        return call(builder, name, _FLOAT, start, arguments[0], flags=("reassoc",))

    return types.float32(a), emit


@instruction
def fold(_typing: Any, a: Any) -> Any:
    """Returns the sum of the four quarters of a Register(64)."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector = arguments[0]
        parts = [
            shuffled_lanes(builder, vector, vector, list(range(k, k + 16))) for k in (0, 16, 32, 48)
        ]
        halves = builder.fadd(parts[0], parts[1]), builder.fadd(parts[2], parts[3])
        return builder.fadd(*halves)

    return Register(16)(a), emit


@instruction
def larger(_typing: Any, a: Any, b: Any) -> Any:
    """Returns the larger of each lane, that of ``a`` if one of them is NaN."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, b = arguments
        return builder.select(builder.fcmp_ordered("<", a, b), b, a)

    return a(a, b), emit


@instruction
def gate(_typing: Any, a: Any, by: Any) -> Any:
    """Returns ``a`` where ``by`` is positive or NaN, zero elsewhere: ReLU and its derivative."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value, by = arguments
        zero = constant(value.type, 0.0)
        return builder.select(builder.fcmp_unordered(">", by, zero), value, zero)

    return a(a, by), emit
