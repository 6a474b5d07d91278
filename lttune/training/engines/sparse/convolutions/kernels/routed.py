"""Weight gradients of a convolution behind which a pooling leads back to one place of four.

Of each example and output channel at most a quarter of the deltas is not zero, so that these are
listed, and input channels are the vector axis: of all weights, whether they survive or not, since
the nine places of a chunk of channels stay in registers while a list passes.
"""

from __future__ import annotations

import numpy as np

from lttune.training.engines.sparse.instructions.bands import (
    CHUNK,
    LANES,
    zeros_chunk,
    zeros_place,
)
from lttune.training.engines.sparse.instructions.cache import kernel
from lttune.training.engines.sparse.instructions.conversions import transposer
from lttune.training.engines.sparse.instructions.registers import item, load, put, splat, store
from lttune.training.engines.sparse.instructions.windows import route

transpose_places = transposer(LANES)


@kernel()
def list_deltas(delta, at, plane, rows, columns, channels, room, biases):
    """Lists what of a strip's deltas is not zero, by example and channel; adds to the biases.

    Args:
        delta: ``at`` is the offset of the first place of the strip.
        at: see there.
        plane: distance of channels in ``delta``.
        rows: of the strip.
        columns: of a picture, filled up.
        channels: of the output.
        room: ``Routes`` for the lists.
        biases: [channels, lanes].
    """
    line = (columns + 2) * LANES
    windows = rows // 2 * (columns // 2)
    for channel in range(channels):
        begin, sum_, window = at + channel * plane, zeros_place(), np.int64(0)
        for row in range(0, rows, 2):
            for column in range(0, columns, 2):
                place = begin + row * line + column * LANES
                value = route(
                    sum_,
                    delta,
                    place,
                    line,
                    room.window_places,
                    window * LANES,
                    (row * (columns + 2) + column) * CHUNK,
                    CHUNK,
                    (columns + 2) * CHUNK,
                )
                store(room.window_values, window * LANES, value)
                sum_ = sum_ + value
                window += 1
        store(biases, channel * LANES, load(sum_, biases, channel * LANES) + sum_)
        for lane in range(LANES):
            run = lane * channels + channel
            to = run * windows
            for k in range(windows):
                value = item(room.window_values, k * LANES + lane)
                # Written always, counted if meant: a branch would be guessed wrong.
                put(room.values, to, value)
                put(room.places, to, item(room.window_places, k * LANES + lane))
                to += value != 0
            put(room.ends, run, np.int32(to))


@kernel()
def turn_strip(source, at, plane, rows, columns, room, size):
    """Copies a chunk of channels of a strip, margin included, to [lanes, rows, columns, CHUNK].

    ``at`` is the offset of the strip in the chunk's first channel; examples are ``size`` apart.
    """
    line = (columns + 2) * LANES
    for row in range(rows + 2):
        for column in range(columns + 2):
            place = row * (columns + 2) + column
            for channel in range(0, CHUNK, LANES):
                transpose_places(
                    source,
                    at + channel * plane + row * line + column * LANES,
                    plane,
                    room.strip,
                    place * CHUNK + channel,
                    size,
                )


@kernel()
def add_products(x, at, line, channels, first, windows, room, to):
    """Adds an example's products of listed deltas and a chunk of input channels.

    Args:
        x: ``at`` is the offset of the example's strip.
        at: see there.
        line: distance of its rows.
        channels: of the output.
        first: the example's first run in the lists.
        windows: room of a run.
        room: ``Routes``: the lists, and the sums [channels, 9, CHUNK] from ``to`` on.
        to: see there.
    """
    sums, nothing = room.sums, zeros_chunk()
    for channel in range(channels):
        begin = (first + channel) * windows
        end, s = np.int64(item(room.ends, first + channel)), to + channel * 9 * CHUNK
        if begin == end:
            continue
        a, b = load(nothing, sums, s), load(nothing, sums, s + CHUNK)
        c = load(nothing, sums, s + 2 * CHUNK)
        d, e = load(nothing, sums, s + 3 * CHUNK), load(nothing, sums, s + 4 * CHUNK)
        f, g = load(nothing, sums, s + 5 * CHUNK), load(nothing, sums, s + 6 * CHUNK)
        h, i = load(nothing, sums, s + 7 * CHUNK), load(nothing, sums, s + 8 * CHUNK)
        for q in range(begin, end):
            delta = splat(nothing, item(room.values, q))
            upper = at + np.int64(item(room.places, q))
            middle, lower = upper + line, upper + 2 * line
            a = delta * load(a, x, upper) + a
            b = delta * load(b, x, upper + CHUNK) + b
            c = delta * load(c, x, upper + 2 * CHUNK) + c
            d = delta * load(d, x, middle) + d
            e = delta * load(e, x, middle + CHUNK) + e
            f = delta * load(f, x, middle + 2 * CHUNK) + f
            g = delta * load(g, x, lower) + g
            h = delta * load(h, x, lower + CHUNK) + h
            i = delta * load(i, x, lower + 2 * CHUNK) + i
        store(sums, s, a)
        store(sums, s + CHUNK, b)
        store(sums, s + 2 * CHUNK, c)
        store(sums, s + 3 * CHUNK, d)
        store(sums, s + 4 * CHUNK, e)
        store(sums, s + 5 * CHUNK, f)
        store(sums, s + 6 * CHUNK, g)
        store(sums, s + 7 * CHUNK, h)
        store(sums, s + 8 * CHUNK, i)


@kernel()
def add_routed_gradients(
    source, source_at, rows, columns, sources, channels, delta, delta_at, strip, room, biases
):
    """Adds what a block of pictures gives to ``room.sums`` [chunks, channels, 9, CHUNK].

    Args:
        source: the convolution's inputs; ``source_at`` is the offset of the first channel's margin.
        source_at: see there.
        rows: of a picture, filled up.
        columns: of a picture, filled up.
        sources: channels of the input.
        channels: of the output.
        delta: gradients of the outputs, likewise; one place of a window at most is not zero.
        delta_at: see there.
        strip: rows of a strip, even.
        room: ``Routes``.
        biases: [channels, lanes].
    """
    line = (columns + 2) * LANES
    plane = (rows + 2) * line
    for top in range(0, rows, strip):
        some = min(strip, rows - top)
        windows, size = some // 2 * (columns // 2), (some + 2) * (columns + 2) * CHUNK
        begin = delta_at + (top + 1) * line + LANES
        list_deltas(delta, begin, plane, some, columns, channels, room, biases)
        for chunk in range((sources + CHUNK - 1) // CHUNK):
            at = source_at + chunk * CHUNK * plane + top * line
            turn_strip(source, at, plane, some, columns, room, size)
            for lane in range(LANES):
                add_products(
                    room.strip,
                    lane * size,
                    (columns + 2) * CHUNK,
                    channels,
                    lane * channels,
                    windows,
                    room,
                    chunk * channels * 9 * CHUNK,
                )


@kernel()
def pick_gradients(sums, positions, at, count, gradient, to):
    """Copies the gradients of the surviving weights from ``sums``."""
    for q in range(count):
        put(gradient, to + q, item(sums, np.int64(item(positions, at + q))))
