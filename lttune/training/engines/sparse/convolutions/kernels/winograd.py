"""A 3 x 3 convolution with all weights, pruned or not, by Winograd's algorithm.

It needs 4 products where the sum needs 9. A band is two rows of tiles, ``BAND_COLUMNS`` in all; its
spectra stay in the second-level cache. What is multiplied is register-blocked: two output channels
share the inputs they read.
"""

from __future__ import annotations

from lttune.training.engines.sparse.convolutions.memory import SPECTRUM_CHANNELS
from lttune.training.engines.sparse.instructions.bands import (
    BAND_COLUMNS,
    LANES,
    ROW_LANES,
    zeros_row,
)
from lttune.training.engines.sparse.instructions.cache import kernel
from lttune.training.engines.sparse.instructions.endings import ADDED, PLAIN, RELU
from lttune.training.engines.sparse.instructions.registers import item, load, put, splat, store
from lttune.training.engines.sparse.instructions.spectra import (
    add_from_spectrum,
    all_from_spectrum,
    back_from_spectrum,
    from_spectrum,
    to_spectrum,
)

ACROSS = BAND_COLUMNS // 2
"""Tiles of a row of a band."""


@kernel()
def row_of_spectrum(a, b, c):
    """Returns the transform of three weights in a row."""
    half = (a + c) * 0.5
    return a, half + b * 0.5, half - b * 0.5, c


@kernel()
def transform(values, first, flat, at, count, sources, channels, forward, room):
    """Writes the spectra of a layer's weights, [16, channels of the output, of the input].

    Backward the layer's outputs are the input, and each place is seen from the opposite side.

    Args:
        values: surviving weights from ``first`` on.
        first: see there.
        flat: from ``at`` on their positions in the full tensor [channels, sources, 3, 3].
        at: see there.
        count: of them.
        sources: channels of the layer's input.
        channels: of its output.
        forward: whether it is the forward pass.
        room: ``Spectra``.
    """
    full, filters = room.full, room.filters
    full[: channels * sources * 9] = 0
    for q in range(count):
        put(full, item(flat, at + q), item(values, first + q))
    inputs, outputs = (sources, channels) if forward else (channels, sources)
    step = (outputs + 1) // 2 * 2 * inputs
    for channel in range(channels):
        for source in range(sources):
            w = (channel * sources + source) * 9
            to = channel * inputs + source if forward else source * inputs + channel
            for j in range(3):
                k = j if forward else 2 - j
                a, c = (w + k, w + 6 + k) if forward else (w + 6 + k, w + k)
                # Down each column first; the rows of the result follow.
                p, q, r, s = row_of_spectrum(full[a], full[w + 3 + k], full[c])
                room.small[j], room.small[3 + j], room.small[6 + j], room.small[9 + j] = p, q, r, s
            for i in range(4):
                a, b, c = room.small[3 * i], room.small[3 * i + 1], room.small[3 * i + 2]
                p, q, r, s = row_of_spectrum(a, b, c)
                filters[4 * i * step + to] = p
                filters[(4 * i + 1) * step + to] = q
                filters[(4 * i + 2) * step + to] = r
                filters[(4 * i + 3) * step + to] = s


@kernel()
def multiply(filters, spectra, inputs, outputs, products):
    """Multiplies the spectra [16, inputs, tiles] of a band by the filters [16, outputs, inputs]."""
    outputs = (outputs + 1) // 2 * 2
    for number in range(16):
        for begin in range(0, inputs, SPECTRUM_CHANNELS):
            for output in range(0, outputs, 2):
                to = (number * outputs + output) * ROW_LANES
                upper, lower = zeros_row(), zeros_row()
                if begin:
                    upper, lower = load(upper, products, to), load(lower, products, to + ROW_LANES)
                own = (number * outputs + output) * inputs
                for source in range(begin, min(begin + SPECTRUM_CHANNELS, inputs)):
                    x = load(upper, spectra, (number * inputs + source) * ROW_LANES)
                    upper = splat(x, item(filters, own + source)) * x + upper
                    lower = splat(x, item(filters, own + inputs + source)) * x + lower
                store(products, to, upper)
                store(products, to + ROW_LANES, lower)


@kernel()
def convolve(
    source,
    source_at,
    rows,
    columns,
    inputs,
    outputs,
    bias,
    bias_at,
    target,
    target_at,
    room,
    ending,
):
    """Computes what ``correlate`` does, with the filters in ``room``.

    Args:
        source: ``source_at`` is the offset of the picture.
        source_at: of the first channel's margin.
        rows: of a picture, filled up.
        columns: of a picture, filled up.
        inputs: channels of the source.
        outputs: channels of the target.
        bias: from ``bias_at`` on, one a channel.
        bias_at: of the first.
        target: ``target_at`` is the offset of the picture.
        target_at: of the first channel's margin.
        room: ``Spectra``.
        ending: ``RELU``, ``GATED``, ``PLAIN`` or ``ADDED``.
    """
    line = (columns + 2) * LANES
    plane = (rows + 2) * line
    step = (outputs + 1) // 2 * 2 * ROW_LANES
    for row in range(0, rows, 4):
        for column in range(0, columns, BAND_COLUMNS):
            at = row * line + column * LANES
            for channel in range(inputs):
                begin = source_at + channel * plane + at
                for tile in range(BAND_COLUMNS):
                    to_spectrum(
                        source,
                        begin + 2 * (tile // ACROSS * line + tile % ACROSS * LANES),
                        line,
                        room.spectra,
                        channel * ROW_LANES + tile * LANES,
                        inputs * ROW_LANES,
                    )
            multiply(room.filters, room.spectra, inputs, outputs, room.products)
            for channel in range(outputs):
                begin = target_at + channel * plane + at + line + LANES
                added = item(bias, bias_at + channel)
                for tile in range(BAND_COLUMNS):
                    to = begin + 2 * (tile // ACROSS * line + tile % ACROSS * LANES)
                    place = channel * ROW_LANES + tile * LANES
                    if ending == RELU:
                        from_spectrum(room.products, place, step, added, target, to, line)
                    elif ending == PLAIN:
                        all_from_spectrum(room.products, place, step, added, target, to, line)
                    elif ending == ADDED:
                        add_from_spectrum(room.products, place, step, added, target, to, line)
                    else:
                        back_from_spectrum(room.products, place, step, added, target, to, line)
