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
    BACK_ENDS,
    BACK_GROUPS,
    BACK_OFFSETS,
    BACK_PLACES,
    BIAS,
    CHANNELS,
    COLUMNS,
    COUNT,
    DENSE,
    ENDS,
    FLAT,
    GROUPS,
    HEIGHT,
    INPUT,
    OFFSETS,
    OUTPUT,
    POOLED,
    POSITIONS,
    ROWS,
    SOURCES,
    STRIP_ROWS,
    WEIGHTS,
    WIDTH,
)
from lttune.training.engines.sparse.instructions.bands import LANES
from lttune.training.engines.sparse.instructions.cache import kernel
from lttune.training.engines.sparse.instructions.registers import item
from lttune.training.engines.sparse.memory import ACTIVE_BLOCKS, OUTPUTS


@kernel()
def turn(pattern, at, count, values, first, turned):
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
        rows, columns, height, width = layer[ROWS], layer[COLUMNS], layer[HEIGHT], layer[WIDTH]
        sources, channels = layer[SOURCES], layer[CHANNELS]
        biases = album.lanes[layer[COUNT] * LANES :]
        if layer[DENSE]:
            transform(
                conv.values,
                layer[WEIGHTS],
                conv.pattern,
                layer[FLAT],
                layer[COUNT],
                sources,
                channels,
                False,
                album.spectra,
            )
        else:
            turn(
                conv.pattern,
                layer[BACK_PLACES],
                layer[COUNT],
                conv.values,
                layer[WEIGHTS],
                album.turned,
            )
        if layer[POOLED]:
            album.routes.sums[:] = 0
        for block in range(blocks):
            base = block * album.block
            into, out = base + layer[INPUT], base + layer[OUTPUT]
            if layer[POOLED]:
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
            if layer[POOLED]:
                add_routed_gradients(
                    album.pictures,
                    into,
                    rows,
                    columns,
                    sources,
                    channels,
                    album.pictures,
                    out,
                    layer[STRIP_ROWS],
                    album.routes,
                    biases,
                )
            else:
                add_gradients(
                    album.pictures,
                    into,
                    rows,
                    columns,
                    layer[GROUPS],
                    channels,
                    conv.pattern[layer[ENDS] :],
                    conv.pattern[layer[OFFSETS] :],
                    album.pictures,
                    out,
                    album.lanes,
                    biases,
                )
            if number and layer[DENSE]:
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
                    False,
                )
            elif number:
                correlate(
                    album.pictures,
                    out,
                    rows,
                    columns,
                    layer[BACK_GROUPS],
                    sources,
                    conv.pattern[layer[BACK_ENDS] :],
                    conv.pattern[layer[BACK_OFFSETS] :],
                    album.turned,
                    0,
                    album.none,
                    0,
                    album.pictures,
                    into,
                    album.sums,
                    False,
                )
            if number:
                pictures.clear_margin(album.pictures, into, sources, rows, columns, height, width)
        if layer[POOLED]:
            pick_gradients(
                album.routes.sums,
                conv.pattern,
                layer[POSITIONS],
                layer[COUNT],
                conv.gradient,
                layer[WEIGHTS],
            )
        else:
            collect_gradients(album.lanes, layer[COUNT], conv.gradient, layer[WEIGHTS])
        collect_gradients(biases, channels, conv.gradient, layer[BIAS])
