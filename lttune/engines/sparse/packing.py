"""Between tiles, which hold a zero for every pruned weight, and runs of surviving weights."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types

from lttune.engines.sparse.registers import address, call, constant, instruction

_FLOAT, _I16, _I64 = ir.FloatType(), ir.IntType(16), ir.IntType(64)
_FLAGS, _INTS = ir.VectorType(ir.IntType(1), 16), ir.VectorType(ir.IntType(32), 16)
_SIXTEEN = ir.VectorType(_FLOAT, 16)


def _words(context: Any, builder: Any, alive: Any, value: Any, word: Any) -> list[tuple[Any, Any]]:
    """Emits the flags of 64 weights from 4 words, and how many of each 16 survive (int64)."""
    data = context.make_array(alive)(context, builder, value).data
    words = [builder.load(builder.gep(data, [builder.add(word, _I64(k))])) for k in range(4)]
    counts = [call(builder, "llvm.ctpop.i16", _I16, bits) for bits in words]
    return [
        (builder.bitcast(bits, _FLAGS), builder.zext(count, _I64))
        for bits, count in zip(words, counts, strict=True)
    ]


@instruction
def pack(_typing: Any, register: Any, alive: Any, word: Any, run: Any, at: Any) -> Any:
    """Appends the surviving lanes of a Register(64) to a run of float32; returns where it ends.

    Args:
        register: one row of a tile.
        alive: uint16; the four from ``word`` on hold the row's flags.
        word: offset in ``alive``.
        run: float32; up to 15 elements behind the new end are overwritten.
        at: where the run ends so far.
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector, alive_value, first, run_value, end = arguments
        kinds = signature.args
        flags = _words(context, builder, kinds[1], alive_value, first)
        for k, (survivors, count) in enumerate(flags):
            lanes = ir.Constant(_INTS, list(range(16 * k, 16 * k + 16)))
            part = builder.shuffle_vector(vector, vector, lanes)
            # As integers: without AVX-512, LLVM 22 fails an assertion on floats.
            name, none = "llvm.experimental.vector.compress.v16i32", constant(_INTS, 0)
            part = builder.bitcast(part, _INTS)
            dense = builder.bitcast(call(builder, name, _INTS, part, survivors, none), _SIXTEEN)
            pointer = address(context, builder, kinds[3], run_value, end, _SIXTEEN)
            builder.store(dense, pointer, align=4)
            end = builder.add(end, count)
        return end

    return types.int64(register, alive, types.int64, run, types.int64), emit


@instruction
def unpack(_typing: Any, tile: Any, row: Any, alive: Any, word: Any, run: Any, at: Any) -> Any:
    """Writes the next survivors of a run to a row of a tile, zeros between; returns where it is.

    Args:
        tile: float32; ``row`` is the offset of 64 elements.
        row: offset in ``tile``.
        alive: uint16; the four from ``word`` on hold the row's flags.
        word: offset in ``alive``.
        run: float32.
        at: the first survivor's offset in ``run``.
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        tile_value, start, alive_value, first, run_value, place = arguments
        kinds = signature.args
        flags = _words(context, builder, kinds[2], alive_value, first)
        for k, (survivors, count) in enumerate(flags):
            source = address(context, builder, kinds[4], run_value, place, _FLOAT)
            name = "llvm.masked.expandload.v16f32"
            full = call(builder, name, _SIXTEEN, source, survivors, constant(_SIXTEEN, 0.0))
            to = builder.add(start, _I64(16 * k))
            target = address(context, builder, kinds[0], tile_value, to, _SIXTEEN)
            builder.store(full, target, align=4)
            place = builder.add(place, count)
        return place

    return types.int64(tile, types.int64, alive, types.int64, run, types.int64), emit
