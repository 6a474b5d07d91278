"""Windows of 2 x 2 places of a picture, ``LANES`` examples each."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types

from lttune.training.engines.sparse.instructions.bands import LANES
from lttune.training.engines.sparse.instructions.registers import (
    address,
    broadcast,
    constant,
    instruction,
)

_PLACE = ir.VectorType(ir.FloatType(), LANES)


def _window(context: Any, builder: Any, array: Any, value: Any, at: Any, line: Any) -> list[Any]:
    """Emits pointers to the four places of a window, row by row."""
    upper = address(context, builder, array, value, at, _PLACE)
    lower = address(context, builder, array, value, builder.add(at, line), _PLACE)
    one = ir.IntType(64)(1)
    return [upper, builder.gep(upper, [one]), lower, builder.gep(lower, [one])]


def _largest(builder: Any, values: list[Any]) -> Any:
    """Emits the largest of values, NaN if one is."""
    result = values[0]
    for value in values[1:]:
        more = builder.fcmp_unordered(">", value, result)
        known = builder.fcmp_ordered("ord", result, result)
        result = builder.select(builder.and_(more, known), value, result)
    return result


@instruction
def largest(_typing: Any, like: Any, array: Any, at: Any, line: Any) -> Any:
    """Returns the largest of a window's four places, whose rows are ``line`` apart."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, value, offset, distance = arguments
        window = _window(context, builder, array, value, offset, distance)
        return _largest(builder, [builder.load(place, align=4) for place in window])

    return like(like, array, types.int64, types.int64), emit


@instruction
def lead_back(_typing: Any, delta: Any, array: Any, at: Any, line: Any) -> Any:
    """Replaces a window's largest place, the first if tied, by ``delta`` and the others by zero."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        given, value, offset, distance = arguments
        window = _window(context, builder, array, value, offset, distance)
        values = [builder.load(place, align=4) for place in window]
        top, none = _largest(builder, values), constant(_PLACE, 0.0)
        for place, held in zip(window, values, strict=True):
            # NaN is not equal to itself: it is where the largest is not less than anything.
            here = builder.fcmp_unordered("==", held, top)
            builder.store(builder.select(here, given, none), place, align=4)
            given = builder.select(here, none, given)
        return context.get_dummy_value()

    return types.void(delta, array, types.int64, types.int64), emit


@instruction
def route(
    _typing: Any,
    like: Any,
    array: Any,
    at: Any,
    line: Any,
    places: Any,
    to: Any,
    first: Any,
    across: Any,
    down: Any,
) -> Any:
    """Returns what a window holds that is zero but for one place, and writes which place it is.

    Args:
        like: a register of the lanes of a place.
        array: float32; ``at`` is the offset of the window.
        at: see there.
        line: distance of its rows.
        places: int32; ``to`` is the offset of as many numbers as a place has lanes.
        to: see there.
        first: what is written of the first place.
        across: what is added in the right column.
        down: what is added in the lower row.
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, value, offset, distance, place_value, target, start, right, below = arguments
        numbers = ir.VectorType(ir.IntType(32), LANES)
        window = _window(context, builder, array, value, offset, distance)
        values = [builder.load(place, align=4) for place in window]
        both = builder.add(right, below)
        result, none = values[0], constant(_PLACE, 0.0)
        found = constant(numbers, 0)
        for held, added in zip(values[1:], (right, below, both), strict=True):
            here = builder.fcmp_unordered("!=", held, none)
            short = broadcast(builder, builder.trunc(added, ir.IntType(32)), numbers)
            found = builder.select(here, short, found)
            result = builder.select(here, held, result)
        base = broadcast(builder, builder.trunc(start, ir.IntType(32)), numbers)
        pointer = address(context, builder, places, place_value, target, numbers)
        builder.store(builder.add(found, base), pointer, align=4)
        return result

    whole = types.int64
    return like(like, array, whole, whole, places, whole, whole, whole, whole), emit
