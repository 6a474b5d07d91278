"""Kernels that touch only the surviving weights of a layer.

The batch is the vector axis. Activations lie in blocks of 64 examples, [blocks, units, 64]; weights
follow one another by output unit, and are listed by input unit for the gradient of the inputs. Sums
over a unit's weights stay in registers.
"""

from __future__ import annotations

import numpy as np

from lttune.training.engines.sparse.instructions.cache import kernel
from lttune.training.engines.sparse.instructions.dots import dots
from lttune.training.engines.sparse.instructions.registers import (
    fold,
    gate,
    item,
    load,
    splat,
    store,
    total,
    zeros16,
    zeros64,
)
from lttune.training.engines.sparse.kernels.optimizers import numbers, step
from lttune.training.engines.sparse.memory import FOUR

BLOCK = 64
"""Examples of a block."""


@kernel()
def forward(blocks, inputs, outputs, ends, columns, values, bias, x, gain, dark, y, last, strips):
    """Computes y = W (gain x - dark) + b, then ReLU unless ``last``.

    ``x`` is [blocks, inputs, 64], ``y`` [blocks, outputs, 64], both flat. Weights lie by strip of
    inputs; where there are several, ``dark`` is 0.
    """
    for block in range(blocks):
        base, target = block * inputs * BLOCK, block * outputs * BLOCK
        begin = np.int64(0)
        for strip in range(strips):
            for unit in range(outputs):
                end = np.int64(item(ends, strip * outputs + unit))
                acc, weights = zeros64(), np.float32(0)
                if strip > 0:
                    acc = load(acc, y, target + unit * BLOCK)
                for at in range(begin, end):
                    row = base + np.int64(item(columns, at)) * BLOCK
                    weight = item(values, at)
                    weights += weight
                    acc = splat(acc, weight) * load(acc, x, row) + acc
                if strip == strips - 1:
                    acc = acc * splat(acc, gain) + splat(acc, bias[unit] - dark * weights)
                    acc = acc if last else gate(acc, acc)
                store(y, target + unit * BLOCK, acc)
                begin = (end + FOUR - 1) // FOUR * FOUR


@kernel()
def input_gradient(blocks, inputs, outputs, ends, rows, places, values, x, delta, dx):
    """Computes dx = W^T delta where x > 0, zero elsewhere."""
    for block in range(blocks):
        base, target = block * outputs * BLOCK, block * inputs * BLOCK
        begin = np.int64(0)
        for unit in range(inputs):
            end = np.int64(item(ends, unit))
            acc = zeros64()
            for at in range(begin, end):
                row = base + np.int64(item(rows, at)) * BLOCK
                weight = item(values, np.int64(item(places, at)))
                acc = splat(acc, weight) * load(acc, delta, row) + acc
            at = target + unit * BLOCK
            store(dx, at, gate(acc, load(acc, x, at)))
            begin = end


@kernel(forceinline=True)
def weight_gradients(blocks, inputs, outputs, fours, columns, x, gain, delta, offsets, at):
    """Returns the gradients of 16 weights from ``at``, counted from the layer's first."""
    result = zeros16()
    for block in range(blocks):
        base, begin = block * outputs * BLOCK, block * inputs * BLOCK
        sums = dots(delta, base, offsets, block * outputs * 16, fours, x, begin, columns, at)
        result = result + sums
    return result * splat(result, gain)


@kernel()
def train(
    blocks,
    inputs,
    outputs,
    count,
    fours,
    columns,
    x,
    gain,
    dark,
    delta,
    offsets,
    bias_gradient,
    kind,
    settings,
    values,
    first,
    second,
    at,
):
    """Updates the surviving weights, in room for ``count`` from ``at`` on.

    ``bias_gradient`` and ``offsets`` are written.
    """
    for unit in range(outputs):
        bias = np.float32(0)
        for block in range(blocks):
            place = (block * outputs + unit) * BLOCK
            part = fold(load(zeros64(), delta, place))
            store(offsets, place // 4, part * splat(part, -dark / gain))
            bias += total(part)
        bias_gradient[unit] = bias
    if count == 0:
        return
    # An update waits for divisions. Those of 16 weights are done while the next 16 are summed.
    needs = numbers(settings)
    ready = weight_gradients(blocks, inputs, outputs, fours, columns, x, gain, delta, offsets, 0)
    for weight in range(16, count, 16):
        g = ready
        ready = weight_gradients(
            blocks, inputs, outputs, fours, columns, x, gain, delta, offsets, weight
        )
        step(kind, needs, values, first, second, at + weight - 16, g)
    step(kind, needs, values, first, second, at + (count - 1) // 16 * 16, ready)
