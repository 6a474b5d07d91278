"""Forward through all layers, each by the kernels of its kind."""

from __future__ import annotations

import numpy as np

from lttune.training.engines.sparse.instructions.cache import kernel
from lttune.training.engines.sparse.kernels import input_sparse, weight_sparse
from lttune.training.engines.sparse.kernels.layouts import padded, to_blocks, to_rows
from lttune.training.engines.sparse.kernels.lists import collect
from lttune.training.engines.sparse.kernels.weight_sparse import BLOCK
from lttune.training.engines.sparse.memory import (
    ACTIVE_BLOCKS,
    ACTIVE_ROWS,
    BIAS,
    ENDS,
    INPUT_SPARSE,
    INPUTS,
    KIND,
    LIST,
    LIST_ENDS,
    OUTPUTS,
    STRIPS,
    TILE,
    TILES,
    WEIGHT_COLUMNS,
    WEIGHTS,
)


@kernel()
def forward(net, room, examples, gain, dark, begin):
    """Computes all activations from the inputs of layer ``begin``; the logits lie in blocks.

    These inputs lie in lists or in blocks, as that layer's kind asks for, or if it is not the first
    layer in rows or in blocks.
    """
    blocks, layers = (examples + BLOCK - 1) // BLOCK, len(net.layers)
    for number in range(begin, layers):
        layer, last = net.layers[number], number == layers - 1
        inputs, outputs = layer[INPUTS], layer[OUTPUTS]
        here, there = room.table[number], room.table[number + 1]
        x, y = room.blocks[here[ACTIVE_BLOCKS] :], room.blocks[there[ACTIVE_BLOCKS] :]
        x_rows, y_rows = room.rows[here[ACTIVE_ROWS] :], room.rows[there[ACTIVE_ROWS] :]
        ends, places = room.ends[here[LIST_ENDS] :], room.places[here[LIST] :]
        lit, bias = room.lit[here[LIST] :], net.values[layer[BIAS] :]
        next_kind = net.layers[number + 1][KIND] if not last else 0
        if layer[KIND] == INPUT_SPARSE:
            if number:
                collect(examples, inputs, x_rows, padded(inputs), ends, places, lit)
            start, stride, shift = layer[TILES], padded(outputs), dark if number == 0 else 0.0
            for unit in range(0, stride, TILE):
                input_sparse.forward(
                    examples,
                    inputs,
                    ends,
                    places,
                    lit,
                    room.cursor,
                    net.tiles,
                    start,
                    np.float32(shift),
                    bias,
                    unit,
                    y_rows[unit:],
                    stride,
                    last,
                )
                start += inputs * TILE
            if next_kind != INPUT_SPARSE:
                to_blocks(examples, outputs, y_rows, stride, y)
        else:
            ends, columns = net.pattern[layer[ENDS] :], net.pattern[layer[WEIGHT_COLUMNS] :]
            values, one, none = net.values[layer[WEIGHTS] :], np.float32(1), np.float32(0)
            if number == 0:
                weight_sparse.forward(
                    blocks,
                    inputs,
                    outputs,
                    ends,
                    columns,
                    values,
                    bias,
                    room.shades,
                    gain,
                    np.float32(dark),
                    y,
                    last,
                    layer[STRIPS],
                )
            else:
                weight_sparse.forward(
                    blocks,
                    inputs,
                    outputs,
                    ends,
                    columns,
                    values,
                    bias,
                    x,
                    one,
                    none,
                    y,
                    last,
                    layer[STRIPS],
                )
            if next_kind == INPUT_SPARSE:
                to_rows(examples, outputs, y, y_rows, padded(outputs))
