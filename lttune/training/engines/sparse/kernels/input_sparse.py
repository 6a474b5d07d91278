"""Kernels for layers with many weights, which skip zero inputs instead: dark pixels, silent units.

The output units are the vector axis. Weights lie in tiles of 64 output units,
[inputs, 64] each, zero where pruned. Activations are [examples, stride], the stride being the
units padded to whole tiles. The non-zero inputs of a batch are lists: by example for the forward
pass and the gradient of the inputs, and by input unit for the gradient of the weights.

An affine normalisation of the pixels would leave no zero input. It is a term of rank one instead:
with x = value - dark, W x = W value - dark W 1, and likewise for the gradient.
"""

from __future__ import annotations

import numpy as np

from lttune.training.engines.sparse.instructions.cache import kernel
from lttune.training.engines.sparse.instructions.registers import (
    gate,
    item,
    load,
    splat,
    store,
    total,
    zeros16,
    zeros64,
)
from lttune.training.engines.sparse.kernels.optimizers import update
from lttune.training.engines.sparse.kernels.packing import pack, unpack
from lttune.training.engines.sparse.memory import GROUP, TILE

UNIT_STRIP = 96
"""Input units whose weights, 64 lanes each, stay in the first-level cache (24 KiB)."""


@kernel()
def offset(inputs, tiles, start, dark, bias, at):
    """Returns b - dark W 1 of a tile: what its units give for an example without lit pixels."""
    result = load(zeros64(), bias, at)
    if dark != 0:
        # Two sums, because one would wait for its own result.
        even, odd = zeros64(), zeros64()
        for unit in range(0, inputs - 1, 2):
            even = even + load(even, tiles, start + unit * TILE)
            odd = odd + load(odd, tiles, start + (unit + 1) * TILE)
        if inputs % 2:
            even = even + load(even, tiles, start + (inputs - 1) * TILE)
        result = result - splat(result, dark) * (even + odd)
    return result


@kernel()
def forward(
    examples, inputs, ends, places, lit, cursor, tiles, start, dark, bias, at, y, stride, last
):
    """Computes a tile of y = W x + b, then ReLU unless ``last``.

    Args:
        examples: of the batch.
        inputs: units.
        ends: [examples + 1] where each example's list begins in ``places`` and ``lit``.
        places: input units that are not zero, ascending.
        lit: their values.
        cursor: [examples], overwritten.
        tiles: ``start`` is the offset of the tile.
        start: of the tile.
        dark: what is subtracted from every input.
        bias: ``at`` is the offset of the tile's first unit.
        at: of the tile's first unit.
        y: [examples, stride], flat; the tile's first unit is 0.
        stride: of ``y``.
        last: whether the layer gives logits.
    """
    begin = offset(inputs, tiles, start, dark, bias, at)
    for example in range(examples):
        cursor[example] = ends[example]
        store(y, example * stride, begin)
    for limit in range(UNIT_STRIP, inputs + UNIT_STRIP, UNIT_STRIP):
        for example in range(examples):
            acc, q, end = load(begin, y, example * stride), cursor[example], ends[example + 1]
            while q < end:
                place = np.int64(item(places, q))
                if place >= limit:
                    break
                row = start + place * TILE
                acc = splat(acc, item(lit, q)) * load(acc, tiles, row) + acc
                q += 1
            cursor[example] = q
            if limit >= inputs and not last:
                acc = gate(acc, acc)
            store(y, example * stride, acc)


@kernel()
def input_gradient(examples, ends, places, tiles, start, delta, stride, dx, dx_stride):
    """Adds a tile's part of dx = W^T delta for the inputs that are not zero.

    A tile of ``delta`` begins at its element 0.
    """
    for example in range(examples):
        by = load(zeros64(), delta, example * stride)
        for q in range(ends[example], ends[example + 1]):
            unit = np.int64(item(places, q))
            row = load(by, tiles, start + unit * TILE)
            dx[example * dx_stride + unit] += total(by * row)


@kernel()
def train(
    examples,
    inputs,
    ends,
    samples,
    lit,
    dark,
    delta,
    stride,
    tiles,
    start,
    alive,
    values,
    at,
    first,
    second,
    bias_gradient,
    kind,
    settings,
    run,
):
    """Computes a tile's gradients and updates its weights; writes the gradients of its biases.

    Args:
        examples: of the batch.
        inputs: units.
        ends: [inputs + 1] where each unit's list begins in ``samples`` and ``lit``.
        samples: examples in which the unit is not zero.
        lit: its values there.
        dark: what is subtracted from every input.
        delta: [examples, stride]; the tile begins at element 0.
        stride: of ``delta``.
        tiles: ``start`` is the offset of the tile.
        start: of the tile.
        alive: a bit for each weight of ``tiles``.
        values: surviving weights; ``at`` is the offset of the tile's.
        at: of the tile's first surviving weight.
        first: moments, as ``values``.
        second: moments, as ``values``.
        bias_gradient: the tile's first unit is 0.
        kind: of the optimizer.
        settings: of the step.
        run: room for the gradients of a group.

    Returns:
        Where the next tile's surviving weights begin.
    """
    bias = zeros64()
    for example in range(examples):
        bias = bias + load(bias, delta, example * stride)
    store(bias_gradient, 0, bias)
    begin = zeros64() - splat(bias, dark) * bias
    for group in range(0, inputs, GROUP):
        stop, end = min(group + GROUP, inputs), np.int64(0)
        for unit in range(group, stop):
            acc = begin
            for q in range(ends[unit], ends[unit + 1]):
                where = np.int64(item(samples, q)) * stride
                acc = splat(acc, item(lit, q)) * load(acc, delta, where) + acc
            end = pack(acc, alive, (start + unit * TILE) // 16, run, end)
        store(run, end, zeros16())
        update(kind, settings, values, first, second, at, run, 0, end)
        place = at
        for unit in range(group, stop):
            row = start + unit * TILE
            place = unpack(tiles, row, alive, row // 16, values, place)
        at += (end + 15) // 16 * 16
    return at
