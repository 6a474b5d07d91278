"""Lists of the inputs that are not zero: by example, and turned round by input unit."""

from __future__ import annotations

import numba
import numpy as np

from lttune.engines.sparse.conversions import convert
from lttune.engines.sparse.registers import item, load, prefetch, put, splat, store, zeros16
from lttune.engines.sparse.weight_sparse import BLOCK

SHADES = (np.arange(256, dtype=np.float32).view(np.uint32) >> 16).astype(np.uint16)
"""Each shade as bfloat16: 8 bits of mantissa hold it exactly."""
LANES = np.arange(BLOCK) // 32 * 32 + np.arange(BLOCK) % 16 * 2 + np.arange(BLOCK) // 16 % 2
"""Where ``load`` finds each example of a block of bfloat16."""


@numba.njit(nogil=True)
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


@numba.njit(nogil=True)
def scatter(batch, inputs, ends, places, shades, x):
    """Writes the shades of a batch as blocks [blocks, inputs, 64] of bfloat16, exactly."""
    blocks = (len(batch) + BLOCK - 1) // BLOCK
    x[: blocks * inputs * BLOCK] = 0
    for example in range(len(batch)):
        base = example // BLOCK * inputs * BLOCK + item(LANES, example % BLOCK)
        for q in range(ends[batch[example]], ends[batch[example] + 1]):
            shade = item(SHADES, np.int64(item(shades, q)))
            put(x, base + np.int64(item(places, q)) * BLOCK, shade)


@numba.njit(nogil=True)
def announce(batch, ends, places, shades):
    """Asks for the lists of the next batch, which lie anywhere in memory."""
    for example in batch:
        # A cache line holds 32 places or 64 shades.
        for q in range(ends[example], ends[example + 1] + 32, 32):
            prefetch(places, q)
        for q in range(ends[example], ends[example + 1] + 64, 64):
            prefetch(shades, q)


@numba.njit(nogil=True)
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


@numba.njit(nogil=True)
def turn(examples, inputs, ends, places, lit, unit_ends, samples, unit_lit, cursor):
    """Turns lists by example into lists by input unit, examples ascending."""
    cursor[: inputs + 1] = 0
    for q in range(ends[examples]):
        unit = np.int64(item(places, q)) + 1
        put(cursor, unit, item(cursor, unit) + 1)
    for unit in range(inputs):
        cursor[unit + 1] += cursor[unit]
    unit_ends[: inputs + 1] = cursor[: inputs + 1]
    for example in range(examples):
        for q in range(ends[example], ends[example + 1]):
            unit = np.int64(item(places, q))
            at = item(cursor, unit)
            put(cursor, unit, at + 1)
            put(samples, at, np.int32(example))
            put(unit_lit, at, item(lit, q))
