"""The gradients of a convolution's surviving weights: sums of products over places and examples."""

from __future__ import annotations

import numpy as np

from lttune.training.engines.sparse.convolutions.memory import GRADIENT_ROWS
from lttune.training.engines.sparse.instructions.bands import (
    BAND_COLUMNS,
    LANES,
    folded,
    products,
    zeros_place,
    zeros_row,
)
from lttune.training.engines.sparse.instructions.cache import kernel
from lttune.training.engines.sparse.instructions.registers import item, load, store, total


@kernel()
def add_gradients(
    source, source_at, rows, columns, groups, channels, ends, offsets, delta, delta_at, sums, biases
):
    """Adds what a picture gives to the gradients, lane by lane.

    Args:
        source: the convolution's inputs; ``source_at`` is the offset of the picture.
        source_at: of the first channel's margin.
        rows: of a picture, filled up.
        columns: of a picture, filled up.
        groups: of input channels.
        channels: of the output.
        ends: [groups, channels] where the weights of a group and output channel end.
        offsets: of the place in ``source`` that each weight is multiplied with.
        delta: gradients of the outputs, zero in the margin; ``delta_at`` is the picture's offset.
        delta_at: of the first channel's margin.
        sums: [weights, lanes].
        biases: [channels, lanes].
    """
    line = (columns + 2) * LANES
    plane = (rows + 2) * line
    for top in range(0, rows, GRADIENT_ROWS):
        first = np.int64(0)
        for group in range(groups):
            last = np.int64(item(ends, (group + 1) * channels - 1))
            for row in range(top, min(top + GRADIENT_ROWS, rows), 2):
                for column in range(0, columns, BAND_COLUMNS):
                    at = row * line + column * LANES
                    begin, weight = source_at + at, first
                    for channel in range(channels):
                        end = np.int64(item(ends, group * channels + channel))
                        here = delta_at + at + line + LANES + channel * plane
                        upper = load(zeros_row(), delta, here)
                        lower = load(zeros_row(), delta, here + line)
                        if group == 0:
                            bias = load(zeros_place(), biases, channel * LANES)
                            store(biases, channel * LANES, bias + folded(upper + lower))
                        for q in range(weight, end):
                            place = begin + np.int64(item(offsets, q))
                            one = products(zeros_place(), upper, source, place)
                            other = products(zeros_place(), lower, source, place + line)
                            sum_ = load(one, sums, q * LANES)
                            store(sums, q * LANES, sum_ + (one + other))
                        weight = end
            first = last


@kernel()
def collect_gradients(sums, count, gradient, at):
    """Writes the sums over the lanes to ``gradient`` from ``at`` on, and empties them."""
    for q in range(count):
        gradient[at + q] = total(load(zeros_place(), sums, q * LANES))
        store(sums, q * LANES, zeros_place())
