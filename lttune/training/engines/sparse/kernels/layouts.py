"""Turning activations between [examples, stride] and blocks of [units, 64]."""

from __future__ import annotations

from lttune.training.engines.sparse.instructions.cache import kernel
from lttune.training.engines.sparse.instructions.conversions import transpose
from lttune.training.engines.sparse.instructions.registers import item, put
from lttune.training.engines.sparse.kernels.weight_sparse import BLOCK
from lttune.training.engines.sparse.memory import TILE


@kernel()
def padded(units):
    """Returns the units padded to whole tiles."""
    return (units + TILE - 1) // TILE * TILE


@kernel()
def to_blocks(examples, units, rows, stride, blocks):
    """Copies [examples, stride] to [blocks, units, 64]; lanes without an example become zero.

    ``rows`` has room for whole blocks; what is behind the last example becomes zero there, too.
    """
    count = (examples + BLOCK - 1) // BLOCK
    rows[examples * stride : count * BLOCK * stride] = 0
    whole = units // 16 * 16
    for first in range(0, count * BLOCK, 16):
        base = first // BLOCK * units * BLOCK + first % BLOCK
        for unit in range(0, whole, 16):
            transpose(rows, first * stride + unit, stride, blocks, base + unit * BLOCK, BLOCK)
        for unit in range(whole, units):
            for example in range(16):
                value = item(rows, (first + example) * stride + unit)
                put(blocks, base + unit * BLOCK + example, value)


@kernel()
def to_rows(examples, units, blocks, rows, stride):
    """Copies [blocks, units, 64] to [examples, stride]; the padding of a row is left as it is."""
    whole = units // 16 * 16
    for first in range(0, examples, 16):
        base = first // BLOCK * units * BLOCK + first % BLOCK
        for unit in range(0, whole, 16):
            transpose(blocks, base + unit * BLOCK, BLOCK, rows, first * stride + unit, stride)
        for unit in range(whole, units):
            for example in range(16):
                value = item(blocks, base + unit * BLOCK + example)
                put(rows, (first + example) * stride + unit, value)
