"""Kernels that touch only the surviving weights of a layer.

The batch is the vector axis. Activations lie in blocks of 64 examples, [blocks, units, 64]; weights
are compressed by output unit (CSR), with their pattern also by input unit (CSC) for the gradient
of the inputs. Sums over a unit's weights stay in registers.
"""

from __future__ import annotations

import numba
import numpy as np

from lttune.engines.sparse.dots import dots
from lttune.engines.sparse.registers import (
    gate,
    item,
    load,
    splat,
    store,
    total,
    zeros16,
    zeros64,
)

BLOCK = 64
"""Examples of a block."""
FEW = 3
"""Gradients that are faster one by one than as part of 16."""


@numba.njit(nogil=True)
def forward(blocks, inputs, outputs, pointers, columns, values, bias, x, gain, dark, y, last):
    """Computes y = W (gain x - dark) + b, then ReLU unless ``last``.

    ``pointers`` and ``columns`` are the CSR pattern, ``values`` its weights, all 1-D views; ``x``
    is [blocks, inputs, 64], ``y`` [blocks, outputs, 64], both flat.
    """
    for block in range(blocks):
        base, target = block * inputs * BLOCK, block * outputs * BLOCK
        for unit in range(outputs):
            acc, weights = zeros64(), np.float32(0)
            for at in range(pointers[unit], pointers[unit + 1]):
                row = base + np.int64(item(columns, at)) * BLOCK
                weight = item(values, at)
                weights += weight
                acc = splat(acc, weight) * load(acc, x, row) + acc
            acc = acc * splat(acc, gain) + splat(acc, bias[unit] - dark * weights)
            store(y, target + unit * BLOCK, acc if last else gate(acc, acc))


@numba.njit(nogil=True)
def input_gradient(blocks, inputs, outputs, pointers, rows, places, values, x, delta, dx):
    """Computes dx = W^T delta where x > 0, zero elsewhere.

    ``pointers`` and ``rows`` are the CSC pattern, ``places`` where in ``values`` its weights are.
    """
    for block in range(blocks):
        base, target = block * outputs * BLOCK, block * inputs * BLOCK
        for unit in range(inputs):
            acc = zeros64()
            for at in range(pointers[unit], pointers[unit + 1]):
                row = base + np.int64(item(rows, at)) * BLOCK
                weight = item(values, np.int64(item(places, at)))
                acc = splat(acc, weight) * load(acc, delta, row) + acc
            at = target + unit * BLOCK
            store(dx, at, gate(acc, load(acc, x, at)))


@numba.njit(nogil=True)
def weight_gradient(
    blocks, inputs, outputs, pointers, columns, x, gain, dark, delta, gradient, bias_gradient
):
    """Computes the gradients of the surviving weights (in CSR order) and of the biases."""
    for unit in range(outputs):
        first, end = np.int64(pointers[unit]), np.int64(pointers[unit + 1])
        # A few weights that are left are done one by one, many as 16: what is written behind the
        # row's end is overwritten by the next row, or lies in the room behind the layer.
        whole = first + (end - first + 16 - FEW) // 16 * 16
        bias = np.float32(0)
        for block in range(blocks):
            base = block * inputs * BLOCK
            by = load(zeros64(), delta, (block * outputs + unit) * BLOCK)
            share = total(by)
            bias += share
            for at in range(first, whole, 16):
                sums = dots(by, columns, at, x, base)
                sums = sums * splat(sums, gain) - splat(sums, dark * share)
                if block:
                    sums = sums + load(zeros16(), gradient, at)
                store(gradient, at, sums)
            for at in range(min(whole, end), end):
                row = base + np.int64(item(columns, at)) * BLOCK
                value = total(by * load(by, x, row)) * gain - dark * share
                gradient[at] = gradient[at] + value if block else value
        bias_gradient[unit] = bias
