"""Lists of the inputs that are not zero: by example, and turned round by input unit."""

from __future__ import annotations

import numpy as np

from lttune.training.engines.sparse.instructions.cache import kernel
from lttune.training.engines.sparse.instructions.conversions import (
    convert,
    copy16,
    copy64,
    turn_pixels,
)
from lttune.training.engines.sparse.instructions.registers import (
    item,
    load,
    prefetch,
    put,
    splat,
    store,
    zeros16,
)
from lttune.training.engines.sparse.kernels.weight_sparse import BLOCK


@kernel()
def gather(batch, ends, places, shades, gain, batch_ends, batch_places, lit):
    """Collects the lit pixels of a batch of a dataset's examples, ``lit`` = shade * gain."""
    count = np.int64(0)
    for example in range(len(batch)):
        batch_ends[example] = count
        begin, end = ends[batch[example]], ends[batch[example] + 1]
        for q in range(0, end - begin, 16):
            convert(places, begin + q, batch_places, count + q)
            convert(shades, begin + q, lit, count + q)
        count += end - begin
    batch_ends[len(batch)] = count
    factor = splat(zeros16(), gain)
    for q in range(0, count, 16):
        store(lit, q, load(factor, lit, q) * factor)


@kernel()
def stack(batch, inputs, pictures, stride, pile):
    """Copies the pictures of at most 64 examples to [64, stride], zeros for missing ones."""
    for example in range(len(batch)):
        start, to, at = batch[example] * inputs, example * stride, 0
        while at + 64 <= inputs:
            copy64(pictures, start + at, pile, to + at)
            at += 64
        while at + 16 <= inputs:
            copy16(pictures, start + at, pile, to + at)
            at += 16
        for pixel in range(at, inputs):
            pile[to + pixel] = pictures[start + pixel]
    pile[len(batch) * stride : BLOCK * stride] = 0


@kernel()
def to_columns(batch, inputs, pictures, pile, x):
    """Writes the shades of a batch as blocks [blocks, inputs, 64] of bfloat16, exactly.

    The pictures are first stacked in ``pile``: they lie anywhere in memory, and are read in full.
    """
    stride = (inputs + 63) // 64 * 64
    for first in range(0, len(batch), BLOCK):
        stack(batch[first : first + BLOCK], inputs, pictures, stride, pile)
        for unit in range(0, inputs, 16):
            # The last 16 may reach over the block: the next one overwrites that.
            turn_pixels(pile, unit, stride, x, first * inputs + unit * BLOCK)


@kernel()
def announce_lists(batch, ends, places, shades):
    """Asks for the lists of a batch."""
    for example in batch:
        # A cache line holds 32 places or 64 shades.
        for q in range(ends[example], ends[example + 1] + 32, 32):
            prefetch(places, q)
        for q in range(ends[example], ends[example + 1] + 64, 64):
            prefetch(shades, q)


@kernel()
def announce_pictures(batch, inputs, pictures):
    """Asks for the pictures of a batch."""
    for example in batch:
        for pixel in range(0, inputs + 63, 64):
            prefetch(pictures, example * inputs + pixel)


@kernel()
def collect(examples, units, x, stride, ends, places, lit):
    """Lists the inputs [examples, stride] that are positive, or NaN."""
    count = np.int64(0)
    for example in range(examples):
        ends[example] = count
        for unit in range(units):
            value = item(x, example * stride + unit)
            # Written always, counted if meant: a branch would be guessed wrong half of the time.
            put(places, count, np.int32(unit))
            put(lit, count, value)
            count += not value <= 0
    ends[examples] = count


@kernel()
def turn(examples, inputs, ends, places, lit, unit_ends, samples, unit_lit, cursor):
    """Turns lists by example into lists by input unit, examples ascending."""
    cursor[: inputs + 1] = 0
    for q in range(ends[examples]):
        unit = np.int64(item(places, q)) + 1
        put(cursor, unit, item(cursor, unit) + 1)
    unit_ends[0] = 0
    for unit in range(inputs):
        cursor[unit + 1] += cursor[unit]
        unit_ends[unit + 1] = cursor[unit + 1]
    for example in range(examples):
        for q in range(ends[example], ends[example + 1]):
            unit = np.int64(item(places, q))
            at = item(cursor, unit)
            put(cursor, unit, at + 1)
            put(samples, at, np.int32(example))
            put(unit_lit, at, item(lit, q))
