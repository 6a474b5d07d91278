"""Backward through all layers, each by the kernels of its kind."""

from __future__ import annotations

import numpy as np

from lttune.training.engines.sparse.instructions.cache import kernel
from lttune.training.engines.sparse.kernels import input_sparse, weight_sparse
from lttune.training.engines.sparse.kernels.layouts import padded, to_blocks, to_rows
from lttune.training.engines.sparse.kernels.lists import turn
from lttune.training.engines.sparse.kernels.weight_sparse import BLOCK
from lttune.training.engines.sparse.memory import (
    ACTIVE_BLOCKS,
    ACTIVE_ROWS,
    BIAS,
    COUNT,
    FOURS,
    IN_ENDS,
    INPUT_SPARSE,
    INPUTS,
    KIND,
    LIST,
    LIST_ENDS,
    OUTPUTS,
    TILE,
    TILES,
    WEIGHT_COLUMNS,
    WEIGHT_PLACES,
    WEIGHT_ROWS,
    WEIGHTS,
)


@kernel()
def backward(net, room, examples, gain, dark, kind, begin):
    """Updates the weights from layer ``begin`` on by the deltas of the logits, in blocks.

    It leaves the biases' gradients, and where ``begin`` is not the first layer that of its inputs.
    """
    blocks, layers = (examples + BLOCK - 1) // BLOCK, len(net.layers)
    for number in range(layers - 1, begin - 1, -1):
        layer = net.layers[number]
        inputs, outputs = layer[INPUTS], layer[OUTPUTS]
        here, there = room.table[number], room.table[number + 1]
        x = room.blocks[here[ACTIVE_BLOCKS] :]
        dx, dy = room.block_deltas[here[ACTIVE_BLOCKS] :], room.block_deltas[there[ACTIVE_BLOCKS] :]
        dx_rows, dy_rows = (
            room.row_deltas[here[ACTIVE_ROWS] :],
            room.row_deltas[there[ACTIVE_ROWS] :],
        )
        before = net.layers[number - 1][KIND] if number else 0
        bias_gradient = net.gradient[layer[BIAS] - net.layers[0][BIAS] :]
        if layer[KIND] == INPUT_SPARSE:
            ends, places = room.ends[here[LIST_ENDS] :], room.places[here[LIST] :]
            lit = room.lit[here[LIST] :]
            stride, shift = padded(outputs), np.float32(dark if number == 0 else 0.0)
            if number == layers - 1:
                to_rows(examples, outputs, dy, dy_rows, stride)
            turn(
                examples,
                inputs,
                ends,
                places,
                lit,
                room.turned_ends,
                room.turned_samples,
                room.turned_lit,
                room.cursor,
            )
            if number:
                dx_rows[: examples * padded(inputs)] = 0
            start, at = layer[TILES], layer[WEIGHTS]
            for unit in range(0, stride, TILE):
                delta = dy_rows[unit:]
                if number:
                    input_sparse.input_gradient(
                        examples,
                        ends,
                        places,
                        net.tiles,
                        start,
                        delta,
                        stride,
                        dx_rows,
                        padded(inputs),
                    )
                at = input_sparse.train(
                    examples,
                    inputs,
                    room.turned_ends,
                    room.turned_samples,
                    room.turned_lit,
                    shift,
                    delta,
                    stride,
                    net.tiles,
                    start,
                    net.alive,
                    net.values,
                    at,
                    net.first,
                    net.second,
                    bias_gradient[unit:],
                    kind,
                    room.settings,
                    room.run,
                )
                start += inputs * TILE
            if number and before != INPUT_SPARSE:
                to_blocks(examples, inputs, dx_rows, padded(inputs), dx)
        else:
            if number:
                weight_sparse.input_gradient(
                    blocks,
                    inputs,
                    outputs,
                    net.pattern[layer[IN_ENDS] :],
                    net.pattern[layer[WEIGHT_ROWS] :],
                    net.pattern[layer[WEIGHT_PLACES] :],
                    net.values[layer[WEIGHTS] :],
                    x,
                    dy,
                    dx,
                )
                if before == INPUT_SPARSE:
                    to_rows(examples, inputs, dx, dx_rows, padded(inputs))
            fours, columns = net.pattern[layer[FOURS] :], net.pattern[layer[WEIGHT_COLUMNS] :]
            one, none = np.float32(1), np.float32(0)
            if number == 0:
                weight_sparse.train(
                    blocks,
                    inputs,
                    outputs,
                    layer[COUNT],
                    fours,
                    columns,
                    room.shades,
                    gain,
                    np.float32(dark),
                    dy,
                    room.offsets,
                    bias_gradient,
                    kind,
                    room.settings,
                    net.values,
                    net.first,
                    net.second,
                    layer[WEIGHTS],
                )
            else:
                weight_sparse.train(
                    blocks,
                    inputs,
                    outputs,
                    layer[COUNT],
                    fours,
                    columns,
                    x,
                    one,
                    none,
                    dy,
                    room.offsets,
                    bias_gradient,
                    kind,
                    room.settings,
                    net.values,
                    net.first,
                    net.second,
                    layer[WEIGHTS],
                )
