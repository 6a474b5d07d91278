"""What lies between the nodes of a residual network: phases, gradients of results, the average."""

from __future__ import annotations

import numpy as np

from lttune.training.engines.sparse.instructions.bands import (
    BAND_COLUMNS,
    LANES,
    zeros_place,
    zeros_row,
)
from lttune.training.engines.sparse.instructions.cache import kernel
from lttune.training.engines.sparse.instructions.registers import gate, load, splat, store
from lttune.training.engines.sparse.kernels.weight_sparse import BLOCK
from lttune.training.engines.sparse.residual.lists import PHASE_COUNT
from lttune.training.engines.sparse.residual.memory import (
    NODE_CHANNELS,
    NODE_COLUMNS,
    NODE_HEIGHT,
    NODE_INNER,
    NODE_MAP,
    NODE_PHASES,
    NODE_ROWS,
    NODE_WIDTH,
)


@kernel()
def split_phases(res, album, number, source, begin):
    """Copies a node's result, which begins there, to the phases that one with stride 2 reads."""
    layer, before, maps = res.layers[number], res.layers[source], album.maps
    line, own = (layer[NODE_COLUMNS] + 2) * LANES, (before[NODE_COLUMNS] + 2) * LANES
    plane, size = (layer[NODE_ROWS] + 2) * line, (before[NODE_ROWS] + 2) * own
    for channel in range(before[NODE_CHANNELS]):
        for phase in range(PHASE_COUNT):
            at = begin + channel * size
            at += (1 + phase // 2) * own + (1 + phase % 2) * LANES
            to = layer[NODE_PHASES] + (channel * PHASE_COUNT + phase) * plane + line + LANES
            for row in range(layer[NODE_HEIGHT]):
                for column in range(layer[NODE_WIDTH]):
                    # Behind an odd edge lies the margin.
                    value = load(zeros_place(), maps, at + 2 * (row * own + column * LANES))
                    store(maps, to + row * line + column * LANES, value)


@kernel()
def join_phases(res, album, number, source, beside):
    """Copies the gradients of phases to that of a node's result, with those of a shortcut."""
    layer, before, maps = res.layers[number], res.layers[source], album.maps
    line, own = (layer[NODE_COLUMNS] + 2) * LANES, (before[NODE_COLUMNS] + 2) * LANES
    plane, size = (layer[NODE_ROWS] + 2) * line, (before[NODE_ROWS] + 2) * own
    for channel in range(before[NODE_CHANNELS]):
        to = album.back + channel * size + own + LANES
        for row in range(before[NODE_HEIGHT]):
            for column in range(before[NODE_WIDTH]):
                place = line + LANES + row // 2 * line + column // 2 * LANES
                phase = 2 * (row % 2) + column % 2
                at = album.back_phases + (channel * PHASE_COUNT + phase) * plane + place
                value = load(zeros_place(), maps, at)
                if beside and phase == 0:
                    other = album.back_shortcut + channel * plane + place
                    value = value + load(zeros_place(), maps, other)
                store(maps, to + row * own + column * LANES, value)


@kernel()
def gate_back(res, album, number, passed, base):
    """Writes the gradient of a node's result: that in ``back``, plus what another passed on."""
    layer, maps = res.layers[number], album.maps
    line = (layer[NODE_COLUMNS] + 2) * LANES
    plane = (layer[NODE_ROWS] + 2) * line
    other = res.layers[max(passed, 0)][NODE_MAP]
    result = layer[NODE_INNER] if layer[NODE_INNER] >= 0 else base + layer[NODE_MAP]
    for channel in range(layer[NODE_CHANNELS]):
        begin = channel * plane + line + LANES
        for row in range(layer[NODE_HEIGHT]):
            for column in range(0, layer[NODE_COLUMNS], BAND_COLUMNS):
                at = begin + row * line + column * LANES
                value = load(zeros_row(), maps, album.back + at)
                if passed >= 0:
                    value = value + load(value, maps, base + other + at)
                by = load(value, maps, result + at)
                store(maps, base + layer[NODE_MAP] + at, gate(value, by))


@kernel()
def average(res, album, number, result, x, first):
    """Writes the averages of a node's result as the linear layer wants them, in blocks of 64.

    ``result`` is where it begins, ``first`` the number of the block's first example.
    """
    layer, maps = res.layers[number], album.maps
    line = (layer[NODE_COLUMNS] + 2) * LANES
    plane = (layer[NODE_ROWS] + 2) * line
    share = np.float32(1.0 / (layer[NODE_HEIGHT] * layer[NODE_WIDTH]))
    to = first // BLOCK * layer[NODE_CHANNELS] * BLOCK + first % BLOCK
    for channel in range(layer[NODE_CHANNELS]):
        begin, sum_ = result + channel * plane + line + LANES, zeros_place()
        for row in range(layer[NODE_HEIGHT]):
            for column in range(layer[NODE_WIDTH]):
                sum_ = sum_ + load(sum_, maps, begin + row * line + column * LANES)
        store(x, to + channel * BLOCK, sum_ * splat(sum_, share))


@kernel()
def spread_average(res, album, number, delta, first):
    """Writes the gradient of all places from that of their average, as ``average`` has them."""
    layer, maps = res.layers[number], album.maps
    line = (layer[NODE_COLUMNS] + 2) * LANES
    plane = (layer[NODE_ROWS] + 2) * line
    share = np.float32(1.0 / (layer[NODE_HEIGHT] * layer[NODE_WIDTH]))
    at = first // BLOCK * layer[NODE_CHANNELS] * BLOCK + first % BLOCK
    for channel in range(layer[NODE_CHANNELS]):
        given = load(zeros_place(), delta, at + channel * BLOCK)
        given = given * splat(given, share)
        begin = album.back + channel * plane + line + LANES
        for row in range(layer[NODE_HEIGHT]):
            for column in range(layer[NODE_WIDTH]):
                store(maps, begin + row * line + column * LANES, given)
