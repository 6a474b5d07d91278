"""Forward through the nodes, to the inputs of the linear layer."""

from __future__ import annotations

from lttune.training.engines.sparse.convolutions.kernels import pictures
from lttune.training.engines.sparse.instructions.bands import LANES, ROW_LANES
from lttune.training.engines.sparse.instructions.cache import kernel
from lttune.training.engines.sparse.instructions.endings import ADDED, PLAIN, RELU
from lttune.training.engines.sparse.kernels.weight_sparse import BLOCK
from lttune.training.engines.sparse.memory import ACTIVE_BLOCKS, OUTPUTS
from lttune.training.engines.sparse.residual.kernels import maps, nodes, norms
from lttune.training.engines.sparse.residual.memory import (
    NODE_ADDED,
    NODE_BESIDE,
    NODE_COLUMNS,
    NODE_HEIGHT,
    NODE_INNER,
    NODE_MAP,
    NODE_PHASES,
    NODE_ROWS,
    NODE_SHORTCUT,
    NODE_SHOWN,
    NODE_SOURCE,
    NODE_SOURCES,
    NODE_STRIDE,
    NODE_WIDTH,
)


@kernel()
def number_of(block, examples):
    """Returns how many examples a block has."""
    return min(LANES, examples - block * LANES)


@kernel()
def mark(album, examples):
    """Writes which lanes of a block with so many examples have one."""
    for lane in range(ROW_LANES):
        album.alive[lane] = 1 if lane % LANES < examples else 0


@kernel()
def result_of(res, number, base):
    """Returns where a node's result begins."""
    layer = res.layers[number]
    return layer[NODE_INNER] if layer[NODE_INNER] >= 0 else base + layer[NODE_MAP]


@kernel()
def finish_node(res, album, number, base):
    """Writes a node's result."""
    norms.finish_norm(res, album, number, base)
    nodes.clear_node(res, album, number, result_of(res, number, base))


@kernel()
def node_input(res, album, number, begin):
    """Returns where the input of a node's convolution lies; with stride 2, writes it there.

    ``begin`` is where the result that it reads begins, or the pictures.
    """
    layer = res.layers[number]
    if layer[NODE_STRIDE] == 1:
        return begin
    maps.split_phases(res, album, number, layer[NODE_SOURCE], begin)
    return layer[NODE_PHASES]


@kernel()
def write_pictures(res, album, batch, gallery, base):
    """Writes the pictures of a block of examples."""
    layer = res.layers[0]
    pictures.write(
        batch,
        gallery.pixels,
        gallery.shades,
        layer[NODE_SOURCES],
        layer[NODE_HEIGHT],
        layer[NODE_WIDTH],
        layer[NODE_ROWS],
        layer[NODE_COLUMNS],
        album.maps,
        base,
    )


@kernel()
def clear_lanes(x, examples, units):
    """Writes zeros in a batch's last block of the linear layer's inputs.

    Lanes without an example have no part in any sum, unless they hold what is no number.
    """
    x[examples // BLOCK * units * BLOCK : (examples + BLOCK - 1) // BLOCK * units * BLOCK] = 0


@kernel()
def forward(res, album, net, room, batch, gallery):
    """Computes what the nodes make of a batch in training, as the linear layer wants it."""
    examples, last = len(batch), len(res.layers) - 1
    blocks = (examples + LANES - 1) // LANES
    x = room.blocks[room.table[1][ACTIVE_BLOCKS] :]
    clear_lanes(x, examples, net.layers[0][OUTPUTS])
    album.totals[:] = 0
    for number in range(last + 1):
        layer = res.layers[number]
        if layer[NODE_SHORTCUT]:
            continue
        beside = layer[NODE_BESIDE]
        nodes.prepare_node(res, album, number, res.values, True)
        for block in range(blocks):
            base, some = album.start + block * album.block, number_of(block, examples)
            if number == 0:
                some_batch = batch[block * LANES : (block + 1) * LANES]
                write_pictures(res, album, some_batch, gallery, base)
                into = base
            else:
                mark(album, some)
                finish_node(res, album, layer[NODE_SOURCE], base)
                into = node_input(res, album, number, result_of(res, layer[NODE_SOURCE], base))
            nodes.convolve_node(res, album, number, into, base)
            norms.add_moments(res, album, number, base, some)
            if beside >= 0:
                nodes.convolve_node(res, album, beside, into, base)
                norms.add_moments(res, album, beside, base, some)
        norms.settle_norm(res, album, number, examples)
        if beside >= 0:
            norms.settle_norm(res, album, beside, examples)
    for block in range(blocks):
        base = album.start + block * album.block
        mark(album, number_of(block, examples))
        finish_node(res, album, last, base)
        maps.average(res, album, last, base + res.layers[last][NODE_MAP], x, block * LANES)


@kernel()
def fold_nodes(res, album):
    """Prepares all nodes for evaluations, batch norm in their weights and biases."""
    norms.fold_norms(res, album)
    for number in range(len(res.layers)):
        nodes.prepare_node(res, album, number, album.folded, True)


@kernel()
def forward_folded(res, album, net, room, batch, gallery):
    """Computes what the nodes make of a batch in an evaluation, as ``fold_nodes`` made them.

    A block of examples passes all nodes at once: two maps at a time are in work.
    """
    x, last = room.blocks[room.table[1][ACTIVE_BLOCKS] :], len(res.layers) - 1
    clear_lanes(x, len(batch), net.layers[0][OUTPUTS])
    for first in range(0, len(batch), LANES):
        write_pictures(res, album, batch[first : first + LANES], gallery, album.start)
        for number in range(last + 1):
            layer = res.layers[number]
            if layer[NODE_SHORTCUT]:
                continue
            into = album.start
            if number:
                into = node_input(res, album, number, res.layers[layer[NODE_SOURCE]][NODE_SHOWN])
            if layer[NODE_BESIDE] >= 0:
                nodes.show_node(res, album, layer[NODE_BESIDE], into, PLAIN)
            # What is added lies where the result will.
            nodes.show_node(res, album, number, into, ADDED if layer[NODE_ADDED] >= 0 else RELU)
        maps.average(res, album, last, res.layers[last][NODE_SHOWN], x, first)
