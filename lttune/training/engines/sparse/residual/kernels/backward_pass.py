"""Backward through the nodes, from the gradient of the linear layer's inputs."""

from __future__ import annotations

from lttune.training.engines.sparse.instructions.bands import LANES
from lttune.training.engines.sparse.instructions.cache import kernel
from lttune.training.engines.sparse.memory import ACTIVE_BLOCKS
from lttune.training.engines.sparse.residual.kernels import maps, nodes, norms
from lttune.training.engines.sparse.residual.kernels.forward_pass import (
    finish,
    mark,
    number_of,
    result_of,
    source_of,
)
from lttune.training.engines.sparse.residual.memory import (
    ADDED,
    BESIDE,
    DELTA,
    INNER,
    PASSED,
    SHORTCUT,
    SOURCE,
    STRIDE,
)


@kernel()
def take_back(res, album, number, passed, base, examples):
    """Writes the gradient of a node's result, of which ``back`` holds a part, and sums it up."""
    maps.gate_back(res, album, number, passed, base)
    norms.add_deltas(res, album, number, base, examples)
    added = res.layers[number][ADDED]
    if added >= 0 and res.layers[added][SHORTCUT]:
        norms.add_deltas(res, album, added, base, examples)


@kernel()
def lead_back(res, album, number, base):
    """Writes the gradient of what a node's convolution gave."""
    norms.lead_back(res, album, number, base)
    nodes.clear(res, album, number, res.layers[number][DELTA])


@kernel()
def convolve_back(res, album, number):
    """Writes the gradient of a node's input, and that of the shortcut beside it, to ``back``."""
    layer = res.layers[number]
    if layer[STRIDE] == 1:
        nodes.convolve_back(res, album, number, album.back)
        return
    nodes.convolve_back(res, album, number, album.back_phases)
    if layer[BESIDE] >= 0:
        nodes.convolve_back(res, album, layer[BESIDE], album.back_shortcut)
    maps.join(res, album, number, layer[SOURCE], layer[BESIDE] >= 0)


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
        maps.spread(res, album, last, delta, block * LANES)
        take_back(res, album, last, -1, base, number_of(block, examples))
    for number in range(last, -1, -1):
        layer = res.layers[number]
        if layer[SHORTCUT]:
            continue
        beside = layer[BESIDE]
        norms.settle_back(res, album, number, examples)
        nodes.prepare_back(res, album, number)
        if beside >= 0:
            norms.settle_back(res, album, beside, examples)
            nodes.prepare_back(res, album, beside)
        for block in range(blocks):
            base, some = album.start + block * album.block, number_of(block, examples)
            mark(album, some)
            lead_back(res, album, number, base)
            into = base
            if number:
                if res.layers[layer[SOURCE]][INNER] >= 0:
                    finish(res, album, layer[SOURCE], base)
                into = source_of(res, album, number, result_of(res, layer[SOURCE], base))
            nodes.add_weight_gradients(res, album, number, into)
            if beside >= 0:
                lead_back(res, album, beside, base)
                nodes.add_weight_gradients(res, album, beside, into)
            if number:
                convolve_back(res, album, number)
                take_back(res, album, layer[SOURCE], layer[PASSED], base, some)
        nodes.collect(res, album, number)
        if beside >= 0:
            nodes.collect(res, album, beside)
