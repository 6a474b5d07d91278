"""Forward through the convolutions, to the inputs of the first linear layer."""

from __future__ import annotations

from lttune.training.engines.sparse.convolutions.kernels import pictures, pooling
from lttune.training.engines.sparse.convolutions.kernels.correlation import correlate
from lttune.training.engines.sparse.convolutions.kernels.winograd import convolve, transform
from lttune.training.engines.sparse.convolutions.memory import (
    CONV_BIAS,
    CONV_CHANNELS,
    CONV_COLUMNS,
    CONV_COUNT,
    CONV_DENSE,
    CONV_ENDS,
    CONV_FLAT,
    CONV_GROUPS,
    CONV_HEIGHT,
    CONV_INPUT,
    CONV_OFFSETS,
    CONV_OUTPUT,
    CONV_POOLED,
    CONV_ROWS,
    CONV_SOURCES,
    CONV_WEIGHTS,
    CONV_WIDTH,
)
from lttune.training.engines.sparse.instructions.bands import LANES
from lttune.training.engines.sparse.instructions.cache import kernel
from lttune.training.engines.sparse.instructions.endings import RELU
from lttune.training.engines.sparse.kernels.weight_sparse import BLOCK
from lttune.training.engines.sparse.memory import ACTIVE_BLOCKS, OUTPUTS


@kernel()
def places(conv, number, block, units):
    """Returns where a layer's pooled picture lies, and its distances of channels, rows and places.

    That is the next layer's input, or behind the last one the first linear layer's in blocks of 64.
    """
    layer = conv.layers[number]
    if number < len(conv.layers) - 1:
        following = conv.layers[number + 1]
        line = (following[CONV_COLUMNS] + 2) * LANES
        return following[CONV_INPUT] + line + LANES, (following[CONV_ROWS] + 2) * line, line, LANES
    height, width = layer[CONV_HEIGHT] // 2, layer[CONV_WIDTH] // 2
    first = block * LANES
    at = first // BLOCK * units * BLOCK + first % BLOCK
    return at, height * width * BLOCK, width * BLOCK, BLOCK


@kernel()
def forward(conv, album, net, room, batch, gallery):
    """Computes what the convolutions make of a batch, as the first linear layer wants it.

    Returns:
        How many blocks of pictures there are.
    """
    blocks, units = (len(batch) + LANES - 1) // LANES, net.layers[0][OUTPUTS]
    x = room.blocks[room.table[1][ACTIVE_BLOCKS] :]
    # Lanes without an example have no part in any sum, unless they hold what is no number.
    x[len(batch) // BLOCK * units * BLOCK : (len(batch) + BLOCK - 1) // BLOCK * units * BLOCK] = 0
    for number in range(len(conv.layers)):
        layer, last = conv.layers[number], number == len(conv.layers) - 1
        rows, columns, height, width = (
            layer[CONV_ROWS],
            layer[CONV_COLUMNS],
            layer[CONV_HEIGHT],
            layer[CONV_WIDTH],
        )
        sources, channels = layer[CONV_SOURCES], layer[CONV_CHANNELS]
        if layer[CONV_DENSE]:
            transform(
                conv.values,
                layer[CONV_WEIGHTS],
                conv.pattern,
                layer[CONV_FLAT],
                layer[CONV_COUNT],
                sources,
                channels,
                True,
                album.spectra,
            )
        for block in range(blocks):
            base = block * album.block
            into, out = base + layer[CONV_INPUT], base + layer[CONV_OUTPUT]
            if number == 0:
                pictures.write(
                    batch[block * LANES : (block + 1) * LANES],
                    gallery.pixels,
                    gallery.shades,
                    sources,
                    height,
                    width,
                    rows,
                    columns,
                    album.pictures,
                    into,
                )
            if layer[CONV_DENSE]:
                convolve(
                    album.pictures,
                    into,
                    rows,
                    columns,
                    sources,
                    channels,
                    conv.values,
                    layer[CONV_BIAS],
                    album.pictures,
                    out,
                    album.spectra,
                    RELU,
                )
            else:
                correlate(
                    album.pictures,
                    into,
                    rows,
                    columns,
                    layer[CONV_GROUPS],
                    channels,
                    conv.pattern[layer[CONV_ENDS] :],
                    conv.pattern[layer[CONV_OFFSETS] :],
                    conv.values,
                    layer[CONV_WEIGHTS],
                    conv.values,
                    layer[CONV_BIAS],
                    album.pictures,
                    out,
                    album.sums,
                    RELU,
                )
            pictures.clear_margin(album.pictures, out, channels, rows, columns, height, width)
            if layer[CONV_POOLED]:
                at, plane, line, step = places(conv, number, block, units)
                pooling.pool(
                    album.pictures,
                    out,
                    channels,
                    rows,
                    columns,
                    height,
                    width,
                    x if last else album.pictures,
                    at if last else base + at,
                    plane,
                    line,
                    step,
                )
    return blocks
