"""Backward through the nodes, from the gradient of the linear layer's inputs."""

from __future__ import annotations

from lttune.training.engines.sparse.instructions.bands import LANES
from lttune.training.engines.sparse.instructions.cache import kernel
from lttune.training.engines.sparse.memory import ACTIVE_BLOCKS
from lttune.training.engines.sparse.residual.kernels import maps, nodes, norms
from lttune.training.engines.sparse.residual.kernels.forward_pass import (
    finish_node,
    mark,
    node_input,
    number_of,
    result_of,
)
from lttune.training.engines.sparse.residual.memory import (
    NODE_ADDED,
    NODE_BESIDE,
    NODE_DELTA,
    NODE_INNER,
    NODE_PASSED,
    NODE_SHORTCUT,
    NODE_SOURCE,
    NODE_STRIDE,
)


@kernel()
def take_back(res, album, number, passed, base, examples):
    """Writes the gradient of a node's result, of which ``back`` holds a part, and sums it up."""
    maps.gate_back(res, album, number, passed, base)
    norms.add_deltas(res, album, number, base, examples)
    added = res.layers[number][NODE_ADDED]
    if added >= 0 and res.layers[added][NODE_SHORTCUT]:
        norms.add_deltas(res, album, added, base, examples)


@kernel()
def lead_node_back(res, album, number, base):
    """Writes the gradient of what a node's convolution gave."""
    norms.lead_norm_back(res, album, number, base)
    nodes.clear_node(res, album, number, res.layers[number][NODE_DELTA])


@kernel()
def write_input_gradient(res, album, number):
    """Writes the gradient of a node's input, and that of the shortcut beside it, to ``back``."""
    layer = res.layers[number]
    if layer[NODE_STRIDE] == 1:
        nodes.convolve_node_back(res, album, number, album.back)
        return
    nodes.convolve_node_back(res, album, number, album.back_phases)
    if layer[NODE_BESIDE] >= 0:
        nodes.convolve_node_back(res, album, layer[NODE_BESIDE], album.back_shortcut)
    maps.join_phases(res, album, number, layer[NODE_SOURCE], layer[NODE_BESIDE] >= 0)


@kernel()
def backward(res, album, room, examples):
    """Writes the gradients of all parameters.

    Results become the gradients of themselves.
    """
    blocks, last = (examples + LANES - 1) // LANES, len(res.layers) - 1
    delta = room.block_deltas[room.table[1][ACTIVE_BLOCKS] :]
    album.totals[:] = 0
    album.unused[:] = 0
    for block in range(blocks):
        base = album.start + block * album.block
        maps.spread_average(res, album, last, delta, block * LANES)
        take_back(res, album, last, -1, base, number_of(block, examples))
    for number in range(last, -1, -1):
        layer = res.layers[number]
        if layer[NODE_SHORTCUT]:
            continue
        beside = layer[NODE_BESIDE]
        norms.settle_norm_back(res, album, number, examples)
        nodes.prepare_node_back(res, album, number)
        if beside >= 0:
            norms.settle_norm_back(res, album, beside, examples)
            nodes.prepare_node_back(res, album, beside)
        for block in range(blocks):
            base, some = album.start + block * album.block, number_of(block, examples)
            mark(album, some)
            lead_node_back(res, album, number, base)
            into = base
            if number:
                if res.layers[layer[NODE_SOURCE]][NODE_INNER] >= 0:
                    finish_node(res, album, layer[NODE_SOURCE], base)
                into = node_input(res, album, number, result_of(res, layer[NODE_SOURCE], base))
            nodes.add_weight_gradients(res, album, number, into)
            if beside >= 0:
                lead_node_back(res, album, beside, base)
                nodes.add_weight_gradients(res, album, beside, into)
            if number:
                write_input_gradient(res, album, number)
                take_back(res, album, layer[NODE_SOURCE], layer[NODE_PASSED], base, some)
        nodes.collect_weight_gradients(res, album, number)
        if beside >= 0:
            nodes.collect_weight_gradients(res, album, beside)
