"""Backward through the convolutions, from the gradient of the first linear layer's inputs."""

from __future__ import annotations

from lttune.training.engines.sparse.convolutions.kernels import pictures, pooling
from lttune.training.engines.sparse.convolutions.kernels.correlation import correlate
from lttune.training.engines.sparse.convolutions.kernels.forward_pass import places
from lttune.training.engines.sparse.convolutions.kernels.gradients import (
    add_gradients,
    collect_gradients,
)
from lttune.training.engines.sparse.convolutions.kernels.routed import (
    add_routed_gradients,
    pick_gradients,
)
from lttune.training.engines.sparse.convolutions.kernels.winograd import convolve, transform
from lttune.training.engines.sparse.convolutions.memory import (
    CONV_BACK_ENDS,
    CONV_BACK_GROUPS,
    CONV_BACK_OFFSETS,
    CONV_BACK_PLACES,
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
    CONV_POSITIONS,
    CONV_ROWS,
    CONV_SOURCES,
    CONV_STRIP_ROWS,
    CONV_WEIGHTS,
    CONV_WIDTH,
)
from lttune.training.engines.sparse.instructions.bands import LANES
from lttune.training.engines.sparse.instructions.cache import kernel
from lttune.training.engines.sparse.instructions.endings import GATED
from lttune.training.engines.sparse.instructions.registers import item
from lttune.training.engines.sparse.memory import ACTIVE_BLOCKS, OUTPUTS


@kernel()
def turn_weights(pattern, at, count, values, first, turned):
    """Copies a layer's weights to the order in which the backward pass reads them."""
    for q in range(count):
        turned[q] = item(values, first + item(pattern, at + q))


@kernel()
def backward(conv, album, net, room, blocks):
    """Writes the gradients of all weights and biases.

    Pictures become the gradients of themselves: a layer's output before that of its weights is
    taken, its input after it.
    """
    units, delta = net.layers[0][OUTPUTS], room.block_deltas[room.table[1][ACTIVE_BLOCKS] :]
    for number in range(len(conv.layers) - 1, -1, -1):
        layer, last = conv.layers[number], number == len(conv.layers) - 1
        rows, columns, height, width = (
            layer[CONV_ROWS],
            layer[CONV_COLUMNS],
            layer[CONV_HEIGHT],
            layer[CONV_WIDTH],
        )
        sources, channels = layer[CONV_SOURCES], layer[CONV_CHANNELS]
        biases = album.lanes[layer[CONV_COUNT] * LANES :]
        if layer[CONV_DENSE]:
            transform(
                conv.values,
                layer[CONV_WEIGHTS],
                conv.pattern,
                layer[CONV_FLAT],
                layer[CONV_COUNT],
                sources,
                channels,
                False,
                album.spectra,
            )
        else:
            turn_weights(
                conv.pattern,
                layer[CONV_BACK_PLACES],
                layer[CONV_COUNT],
                conv.values,
                layer[CONV_WEIGHTS],
                album.turned,
            )
        if layer[CONV_POOLED]:
            album.routes.sums[:] = 0
        for block in range(blocks):
            base = block * album.block
            into, out = base + layer[CONV_INPUT], base + layer[CONV_OUTPUT]
            if layer[CONV_POOLED]:
                at, plane, line, step = places(conv, number, block, units)
                pooling.unpool(
                    album.pictures,
                    out,
                    channels,
                    rows,
                    columns,
                    height,
                    width,
                    delta if last else album.pictures,
                    at if last else base + at,
                    plane,
                    line,
                    step,
                )
            if layer[CONV_POOLED]:
                add_routed_gradients(
                    album.pictures,
                    into,
                    rows,
                    columns,
                    sources,
                    channels,
                    album.pictures,
                    out,
                    layer[CONV_STRIP_ROWS],
                    album.routes,
                    biases,
                )
            else:
                add_gradients(
                    album.pictures,
                    into,
                    rows,
                    columns,
                    layer[CONV_GROUPS],
                    channels,
                    conv.pattern[layer[CONV_ENDS] :],
                    conv.pattern[layer[CONV_OFFSETS] :],
                    album.pictures,
                    out,
                    album.lanes,
                    biases,
                )
            if number and layer[CONV_DENSE]:
                convolve(
                    album.pictures,
                    out,
                    rows,
                    columns,
                    channels,
                    sources,
                    album.none,
                    0,
                    album.pictures,
                    into,
                    album.spectra,
                    GATED,
                )
            elif number:
                correlate(
                    album.pictures,
                    out,
                    rows,
                    columns,
                    layer[CONV_BACK_GROUPS],
                    sources,
                    conv.pattern[layer[CONV_BACK_ENDS] :],
                    conv.pattern[layer[CONV_BACK_OFFSETS] :],
                    album.turned,
                    0,
                    album.none,
                    0,
                    album.pictures,
                    into,
                    album.sums,
                    GATED,
                )
            if number:
                pictures.clear_margin(album.pictures, into, sources, rows, columns, height, width)
        if layer[CONV_POOLED]:
            pick_gradients(
                album.routes.sums,
                conv.pattern,
                layer[CONV_POSITIONS],
                layer[CONV_COUNT],
                conv.gradient,
                layer[CONV_WEIGHTS],
            )
        else:
            collect_gradients(album.lanes, layer[CONV_COUNT], conv.gradient, layer[CONV_WEIGHTS])
        collect_gradients(biases, channels, conv.gradient, layer[CONV_BIAS])
