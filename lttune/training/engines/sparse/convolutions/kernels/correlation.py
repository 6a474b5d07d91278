"""A 3 x 3 convolution with the surviving weights only: forward, and back to its inputs.

The batch is the vector axis. Pictures are [channels, height + 2, width + 2, lanes] with a margin of
zeros, height and width filled up to whole bands. A band's sums stay in registers while the weights
of an output channel pass; the input channels come in groups whose part of the pictures stays in the
first-level cache while all output channels pass, and sums of one group wait for the next.
"""

from __future__ import annotations

import numpy as np

from lttune.training.engines.sparse.instructions.bands import (
    BAND_COLUMNS,
    LANES,
    ROW_LANES,
    zeros_row,
)
from lttune.training.engines.sparse.instructions.cache import kernel
from lttune.training.engines.sparse.instructions.endings import ADDED, PLAIN, RELU
from lttune.training.engines.sparse.instructions.registers import gate, item, load, splat, store


@kernel()
def correlate(
    source,
    source_at,
    rows,
    columns,
    groups,
    channels,
    ends,
    offsets,
    values,
    value_at,
    bias,
    bias_at,
    target,
    target_at,
    sums,
    ending,
):
    """Computes W x + b, and of that what ``ending`` says.

    Args:
        source: ``source_at`` is the offset of the picture.
        source_at: of the first channel's margin.
        rows: of a picture, filled up.
        columns: of a picture, filled up.
        groups: of input channels.
        channels: of the target.
        ends: [groups, channels] where the weights of a group and output channel end.
        offsets: of the place in ``source`` that each weight is multiplied with.
        values: the weights in the same order from ``value_at`` on.
        value_at: of the first weight.
        bias: from ``bias_at`` on, one a channel.
        bias_at: of the first.
        target: ``target_at`` is the offset of the picture; of the source's height and width.
        target_at: of the first channel's margin.
        sums: room for a band of all channels.
        ending: ``RELU``, ``GATED``, ``PLAIN`` or ``ADDED``.
    """
    line = (columns + 2) * LANES
    plane = (rows + 2) * line
    for row in range(0, rows, 2):
        for column in range(0, columns, BAND_COLUMNS):
            at = row * line + column * LANES
            begin, to = source_at + at, target_at + at + line + LANES
            weight = np.int64(0)
            for group in range(groups):
                for channel in range(channels):
                    end = np.int64(item(ends, group * channels + channel))
                    wait = channel * 2 * ROW_LANES
                    if group == 0:
                        upper = splat(zeros_row(), item(bias, bias_at + channel))
                        lower = upper
                    else:
                        upper = load(zeros_row(), sums, wait)
                        lower = load(zeros_row(), sums, wait + ROW_LANES)
                    for q in range(weight, end):
                        place = begin + np.int64(item(offsets, q))
                        value = item(values, value_at + q)
                        upper = splat(upper, value) * load(upper, source, place) + upper
                        lower = splat(lower, value) * load(lower, source, place + line) + lower
                    weight = end
                    if group < groups - 1:
                        store(sums, wait, upper)
                        store(sums, wait + ROW_LANES, lower)
                    else:
                        here = to + channel * plane
                        if ending == RELU:
                            store(target, here, gate(upper, upper))
                            store(target, here + line, gate(lower, lower))
                        elif ending == PLAIN:
                            store(target, here, upper)
                            store(target, here + line, lower)
                        elif ending == ADDED:
                            upper = upper + load(upper, target, here)
                            lower = lower + load(lower, target, here + line)
                            store(target, here, gate(upper, upper))
                            store(target, here + line, gate(lower, lower))
                        else:
                            store(target, here, gate(upper, load(upper, target, here)))
                            below = load(lower, target, here + line)
                            store(target, here + line, gate(lower, below))
