"""Between tiles, which hold a zero for every pruned weight, and runs of surviving weights.

AVX-512 has instructions for both. With AVX2, 8 lanes at a time are permuted by a table of all 256
patterns. Other CPUs get what LLVM makes of it, lane by lane.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from lttune.training.engines.sparse.instructions import cpu
from lttune.training.engines.sparse.instructions.registers import (
    address,
    call,
    constant,
    instruction,
    shuffled_lanes,
)

_FLOAT, _I16, _I64 = ir.FloatType(), ir.IntType(16), ir.IntType(64)
_FLAGS, _INTS = ir.VectorType(ir.IntType(1), 16), ir.VectorType(ir.IntType(32), 16)
_SIXTEEN = ir.VectorType(_FLOAT, 16)
_I8, _I32, _EIGHT = ir.IntType(8), ir.IntType(32), ir.VectorType(_FLOAT, 8)
_, _FEATURES = cpu.compiled_for()
_BY_TABLE = "avx2" in _FEATURES and "avx512f" not in _FEATURES


def _packed(pattern: int) -> list[int]:
    """Returns the lanes of 8 that survive, then zeros."""
    lanes = [lane for lane in range(8) if pattern >> lane & 1]
    return lanes + [0] * (8 - len(lanes))


def _unpacked(pattern: int) -> list[int]:
    """Returns for each lane of 8 how many survive before it."""
    return [(pattern & (1 << lane) - 1).bit_count() for lane in range(8)]


def _orders(builder: Any, name: str, order: Callable[[int], list[int]]) -> Any:
    """Emits a table of 8 bytes for each pattern of 8 lanes."""
    words = [int.from_bytes(bytes(order(pattern)), "little") for pattern in range(256)]
    table = ir.Constant(ir.ArrayType(_I64, 256), words)
    return cgutils.global_constant(builder, name, table)


def _permuted(builder: Any, table: Any, pattern: Any, numbers: Any) -> Any:
    """Emits 8 numbers in the order that a table has for a pattern (i8)."""
    place = builder.zext(pattern, _I64)
    bytes_ = builder.load(builder.gep(table, [_I64(0), place]))
    order = builder.zext(builder.bitcast(bytes_, ir.VectorType(_I8, 8)), ir.VectorType(_I32, 8))
    return call(builder, "llvm.x86.avx2.permps", _EIGHT, numbers, order)


def _patterns(context: Any, builder: Any, alive: Any, value: Any, word: Any) -> list[Any]:
    """Emits 8 patterns of 8 lanes (i8) with the number of survivors in each (int64)."""
    pointer = address(context, builder, alive, value, word, _I8)
    patterns = [builder.load(builder.gep(pointer, [_I64(k)])) for k in range(8)]
    counts = [builder.zext(call(builder, "llvm.ctpop.i8", _I8, p), _I64) for p in patterns]
    return list(zip(patterns, counts, strict=True))


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
        if _BY_TABLE:
            table = _orders(builder, "packed", _packed)
            patterns = _patterns(context, builder, kinds[1], alive_value, first)
            for k, (pattern, count) in enumerate(patterns):
                part = shuffled_lanes(builder, vector, vector, list(range(8 * k, 8 * k + 8)))
                pointer = address(context, builder, kinds[3], run_value, end, _EIGHT)
                builder.store(_permuted(builder, table, pattern, part), pointer, align=4)
                end = builder.add(end, count)
            return end
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
        if _BY_TABLE:
            table = _orders(builder, "unpacked", _unpacked)
            patterns = _patterns(context, builder, kinds[2], alive_value, first)
            for k, (pattern, count) in enumerate(patterns):
                source = address(context, builder, kinds[4], run_value, place, _EIGHT)
                full = _permuted(builder, table, pattern, builder.load(source, align=4))
                alive_ = builder.bitcast(pattern, ir.VectorType(ir.IntType(1), 8))
                full = builder.select(alive_, full, constant(_EIGHT, 0.0))
                to = builder.add(start, _I64(8 * k))
                target = address(context, builder, kinds[0], tile_value, to, _EIGHT)
                builder.store(full, target, align=4)
                place = builder.add(place, count)
            return place
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
