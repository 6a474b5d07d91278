"""Batch norm of a node's map, channel by channel: its sums, the result, and the way back."""

from __future__ import annotations

import math

import numpy as np

from lttune.training.engines.sparse.instructions.bands import (
    BAND_COLUMNS,
    LANES,
    folded,
    zeros_place,
    zeros_row,
)
from lttune.training.engines.sparse.instructions.cache import kernel
from lttune.training.engines.sparse.instructions.registers import gate, item, load, splat, store
from lttune.training.engines.sparse.residual.memory import (
    FIRST_SUM,
    MEAN,
    NODE_ADDED,
    NODE_CHANNELS,
    NODE_COLUMNS,
    NODE_DELTA,
    NODE_ENDS,
    NODE_GROUPS,
    NODE_HEIGHT,
    NODE_INNER,
    NODE_MAP,
    NODE_MOMENTS,
    NODE_RAW,
    NODE_ROWS,
    NODE_SCALE,
    NODE_SHIFT,
    NODE_SHORTCUT,
    NODE_WEIGHTS,
    NODE_WIDTH,
    NORM_ABOUT,
    NORM_GAIN,
    NORM_INVERSE,
    NORM_LEVEL,
    NORM_OFFSET,
    NORM_SLOPE,
    SECOND_SUM,
    VARIANCE,
)

VARIANCE_EPS, RUNNING_MOMENTUM = 1e-5, 0.1
"""As PyTorch has them."""


@kernel()
def add_moments(res, album, number, base, examples):
    """Adds what a block gives to the sums of a node's map and of its squares.

    Both are of the distance from the running mean: squares of numbers far from zero would leave
    little of their variance.
    """
    layer, maps, every = res.layers[number], album.maps, res.running.shape[1]
    line = (layer[NODE_COLUMNS] + 2) * LANES
    plane = (layer[NODE_ROWS] + 2) * line
    height, width = layer[NODE_HEIGHT], layer[NODE_WIDTH]
    whole = width // BAND_COLUMNS * BAND_COLUMNS
    for channel in range(layer[NODE_CHANNELS]):
        own = layer[NODE_MOMENTS] + channel
        about = res.running[MEAN, own]
        begin = base + layer[NODE_RAW] + channel * plane + line + LANES
        sum_, square = zeros_row(), zeros_row()
        rest, rest_square = zeros_place(), zeros_place()
        for row in range(height):
            at = begin + row * line
            for column in range(0, whole, BAND_COLUMNS):
                apart = load(sum_, maps, at + column * LANES) - splat(sum_, about)
                sum_ = sum_ + apart
                square = apart * apart + square
            for column in range(whole, width):
                one = load(rest, maps, at + column * LANES) - splat(rest, about)
                rest = rest + one
                rest_square = one * one + rest_square
        _add(album, own, every, folded(sum_) + rest, folded(square) + rest_square, examples)


@kernel(forceinline=True)
def _add(album, own, every, first, second, examples):
    """Adds the lanes of two sums that have an example."""
    store(album.small, np.int64(0), first)
    store(album.small, np.int64(LANES), second)
    for lane in range(examples):
        album.totals[FIRST_SUM * every + own] += album.small[lane]
        album.totals[SECOND_SUM * every + own] += album.small[LANES + lane]


@kernel()
def _set(res, album, layer, channel, mean, variance):
    """Writes what a channel is normalised with."""
    every, own = res.running.shape[1], layer[NODE_MOMENTS] + channel
    inverse = 1.0 / math.sqrt(np.float64(variance) + VARIANCE_EPS)
    album.norms[NORM_ABOUT * every + own] = mean
    album.norms[NORM_INVERSE * every + own] = inverse
    album.norms[NORM_GAIN * every + own] = res.values[layer[NODE_SCALE] + channel] * inverse
    album.norms[NORM_OFFSET * every + own] = res.values[layer[NODE_SHIFT] + channel]


@kernel()
def settle_norm(res, album, number, examples):
    """Makes of a node's sums what its map is normalised with, and moves the running moments."""
    layer, every = res.layers[number], res.running.shape[1]
    count = np.float64(examples * layer[NODE_HEIGHT] * layer[NODE_WIDTH])
    for channel in range(layer[NODE_CHANNELS]):
        own = layer[NODE_MOMENTS] + channel
        apart = album.totals[FIRST_SUM * every + own] / count
        variance = album.totals[SECOND_SUM * every + own] / count - apart * apart
        # Rounding may leave less than nothing; what is no number stays that.
        variance = 0.0 if variance < 0 else variance
        mean = res.running[MEAN, own] + apart
        _set(res, album, layer, channel, mean, variance)
        unbiased = variance * (count / (count - 1))
        res.running[MEAN, own] += RUNNING_MOMENTUM * apart
        res.running[VARIANCE, own] += RUNNING_MOMENTUM * (unbiased - res.running[VARIANCE, own])


@kernel()
def fold_norms(res, album):
    """Writes the weights and biases that do in an evaluation what batch norm does with others."""
    for number in range(len(res.layers)):
        layer = res.layers[number]
        at = layer[NODE_WEIGHTS]
        for channel in range(layer[NODE_CHANNELS]):
            own = layer[NODE_MOMENTS] + channel
            _set(res, album, layer, channel, res.running[MEAN, own], res.running[VARIANCE, own])
        for run in range(layer[NODE_GROUPS] * layer[NODE_CHANNELS]):
            own = layer[NODE_MOMENTS] + run % layer[NODE_CHANNELS]
            gain = album.norms[NORM_GAIN * res.running.shape[1] + own]
            while at < layer[NODE_WEIGHTS] + res.pattern[layer[NODE_ENDS] + run]:
                album.folded[at] = gain * res.values[at]
                at += 1
        for channel in range(layer[NODE_CHANNELS]):
            own, every = layer[NODE_MOMENTS] + channel, res.running.shape[1]
            away = album.norms[NORM_GAIN * every + own] * album.norms[NORM_ABOUT * every + own]
            album.folded[layer[NODE_SHIFT] + channel] = (
                album.norms[NORM_OFFSET * every + own] - away
            )


@kernel()
def finish_norm(res, album, number, base):
    """Writes a node's result: its normalised map, plus what is added, where that is positive.

    Lanes without an example become zero.
    """
    layer, maps, every = res.layers[number], album.maps, res.running.shape[1]
    line = (layer[NODE_COLUMNS] + 2) * LANES
    plane = (layer[NODE_ROWS] + 2) * line
    norms, added = album.norms, layer[NODE_ADDED]
    result = layer[NODE_INNER] if layer[NODE_INNER] >= 0 else base + layer[NODE_MAP]
    other = res.layers[max(added, 0)]
    alive = load(zeros_row(), album.alive, np.int64(0))
    for channel in range(layer[NODE_CHANNELS]):
        own, begin = layer[NODE_MOMENTS] + channel, channel * plane + line + LANES
        about = splat(zeros_row(), item(norms, NORM_ABOUT * every + own))
        gain = splat(zeros_row(), item(norms, NORM_GAIN * every + own))
        offset = splat(zeros_row(), item(norms, NORM_OFFSET * every + own))
        theirs = other[NODE_MOMENTS] + channel
        other_about = splat(zeros_row(), item(norms, NORM_ABOUT * every + theirs))
        other_gain = splat(zeros_row(), item(norms, NORM_GAIN * every + theirs))
        other_offset = splat(zeros_row(), item(norms, NORM_OFFSET * every + theirs))
        for row in range(layer[NODE_HEIGHT]):
            for column in range(0, layer[NODE_COLUMNS], BAND_COLUMNS):
                to = begin + row * line + column * LANES
                at = base + to
                value = gain * (load(alive, maps, at + layer[NODE_RAW]) - about) + offset
                if added >= 0:
                    if other[NODE_SHORTCUT]:
                        apart = load(alive, maps, at + other[NODE_RAW]) - other_about
                        value = value + (other_gain * apart + other_offset)
                    else:
                        value = value + load(alive, maps, at + other[NODE_MAP])
                store(maps, result + to, gate(gate(value, value), alive))


@kernel()
def add_deltas(res, album, number, base, examples):
    """Adds what a block gives to the sums of a node's deltas, and of these times the deviations."""
    layer, maps, every = res.layers[number], album.maps, res.running.shape[1]
    line = (layer[NODE_COLUMNS] + 2) * LANES
    plane = (layer[NODE_ROWS] + 2) * line
    for channel in range(layer[NODE_CHANNELS]):
        own = layer[NODE_MOMENTS] + channel
        begin = base + channel * plane + line + LANES
        sum_, product = zeros_row(), zeros_row()
        about = splat(sum_, item(album.norms, NORM_ABOUT * every + own))
        for row in range(layer[NODE_HEIGHT]):
            for column in range(0, layer[NODE_COLUMNS], BAND_COLUMNS):
                at = begin + row * line + column * LANES
                delta = load(sum_, maps, at + layer[NODE_MAP])
                sum_ = sum_ + delta
                product = delta * (load(sum_, maps, at + layer[NODE_RAW]) - about) + product
        _add(album, own, every, folded(sum_), folded(product), examples)


@kernel()
def settle_norm_back(res, album, number, examples):
    """Makes of the deltas' sums the gradients of scale and shift, and what leads further back."""
    layer, every = res.layers[number], res.running.shape[1]
    count = np.float64(examples * layer[NODE_HEIGHT] * layer[NODE_WIDTH])
    for channel in range(layer[NODE_CHANNELS]):
        own = layer[NODE_MOMENTS] + channel
        gain = album.norms[NORM_GAIN * every + own]
        deltas = album.totals[FIRST_SUM * every + own]
        products = album.totals[SECOND_SUM * every + own]
        inverse = album.norms[NORM_INVERSE * every + own]
        res.gradient[layer[NODE_SCALE] + channel] = products * inverse
        res.gradient[layer[NODE_SHIFT] + channel] = deltas
        album.norms[NORM_SLOPE * every + own] = -gain * inverse * inverse * products / count
        album.norms[NORM_LEVEL * every + own] = -gain * deltas / count


@kernel()
def lead_norm_back(res, album, number, base):
    """Writes the gradient of what a node's convolution gave."""
    layer, maps, every = res.layers[number], album.maps, res.running.shape[1]
    line = (layer[NODE_COLUMNS] + 2) * LANES
    plane = (layer[NODE_ROWS] + 2) * line
    alive = load(zeros_row(), album.alive, np.int64(0))
    for channel in range(layer[NODE_CHANNELS]):
        own = layer[NODE_MOMENTS] + channel
        about = splat(alive, item(album.norms, NORM_ABOUT * every + own))
        gain = splat(alive, item(album.norms, NORM_GAIN * every + own))
        slope = splat(alive, item(album.norms, NORM_SLOPE * every + own))
        level = splat(alive, item(album.norms, NORM_LEVEL * every + own))
        begin = channel * plane + line + LANES
        for row in range(layer[NODE_HEIGHT]):
            for column in range(0, layer[NODE_COLUMNS], BAND_COLUMNS):
                to = begin + row * line + column * LANES
                at = base + to
                apart = load(alive, maps, at + layer[NODE_RAW]) - about
                through = gain * load(alive, maps, at + layer[NODE_MAP])
                store(maps, layer[NODE_DELTA] + to, gate(slope * apart + (through + level), alive))
