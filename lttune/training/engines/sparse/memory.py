"""The arrays that compiled code works on, and the meaning of their tables' columns."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

WEIGHT_SPARSE, INPUT_SPARSE = range(2)
"""Kinds of a layer."""
(KIND, INPUTS, OUTPUTS, COUNT, WEIGHTS, TILES, BIAS) = range(7)
(ENDS, WEIGHT_COLUMNS, FOURS, IN_ENDS, WEIGHT_ROWS, WEIGHT_PLACES) = range(7, 13)
STRIPS = 13
COLUMN_COUNT = 14
"""Columns of ``Parameters.layers``: the kind; units; the room of the surviving weights; where they
begin in ``values`` and in ``tiles``; where the biases begin; where in ``pattern`` its parts begin:
where each output unit's weights end, each weight's column, the unit of each four
weights; where each input unit's weights end, each one's row and its place in ``values``; how many
strips of ``INPUT_STRIP`` input units there are, whose weights follow one another."""
INPUT_STRIP = 1024
"""Input units behind a convolution whose activations, 64 lanes each, stay in the second-level cache
(256 KiB) while the weights of all output units pass."""
FOUR = 4
"""An output unit's weights begin at a multiple of it, so that so many weights share a unit. What is
between units is trained like a weight and never read."""
ACTIVE_BLOCKS, ACTIVE_ROWS, LIST, LIST_ENDS = range(4)
"""Columns of ``Scratch.table``: where a layer's inputs begin in each array."""
TILE = 64
"""Output units of an input-sparse layer are padded to multiples of it."""

GROUP = 16
"""Input units whose weights in a tile are updated together: their gradients stay in the cache."""


class Parameters(NamedTuple):
    """One network's parameters: weight-sparse layers, biases, input-sparse layers."""

    layers: np.ndarray
    """int64 [layers, 14]."""
    pattern: np.ndarray
    """int32: which weights of the weight-sparse layers survive, by output and by input unit."""
    alive: np.ndarray
    """uint16, one bit a weight of ``tiles``: which survive."""
    tiles: np.ndarray
    """float32: the weights of the input-sparse layers again, zero where pruned."""
    values: np.ndarray
    """float32: surviving weights and biases."""
    first: np.ndarray
    """float32: the optimizer's first moments, or momentum."""
    second: np.ndarray
    """float32: the optimizer's second moments."""
    gradient: np.ndarray
    """float32: of the biases, where ``values`` has them."""


class Pixels(NamedTuple):
    """A dataset, and its lists of lit pixels."""

    pictures: np.ndarray
    """uint8 [examples * inputs]."""

    ends: np.ndarray
    """int64 [examples + 1]."""
    places: np.ndarray
    """uint16: which pixel; room for 16 more."""
    shades: np.ndarray
    """uint8: how bright; room for 16 more."""
    labels: np.ndarray
    """int64 [examples]."""
    gain: float
    """An input is (shade - shift) * gain."""
    dark: float
    """shift * gain: a dark pixel's input, negated."""


class Scratch(NamedTuple):
    """Room for one batch."""

    table: np.ndarray
    """int64 [layers + 1, 4]."""
    labels: np.ndarray
    """int64: the batch's classes."""
    pile: np.ndarray
    """uint8 [64, stride]: the pictures of a block."""
    shades: np.ndarray
    """uint16: the pixels, bfloat16 [blocks, inputs, 64]."""
    blocks: np.ndarray
    """float32: activations [blocks, units, 64] of every layer."""
    block_deltas: np.ndarray
    rows: np.ndarray
    """float32: activations [examples, stride] of every layer."""
    row_deltas: np.ndarray
    ends: np.ndarray
    """int64: lists of non-zero inputs by example."""
    places: np.ndarray
    lit: np.ndarray
    turned_ends: np.ndarray
    """int64: the lists of one layer by input unit."""
    turned_samples: np.ndarray
    turned_lit: np.ndarray
    cursor: np.ndarray
    """int64: where the next example of each input unit goes."""
    run: np.ndarray
    """float32 [1040]: gradients of a group of a tile's weights."""
    offsets: np.ndarray
    """float32 [blocks, units, 16]: what a layer's dark pixels add to the products of each delta."""
    small: np.ndarray
    """float32 [128]: two numbers for each lane of a block."""
    settings: np.ndarray
    """float32 [5]: what an optimizer step needs."""


def floats(count: int) -> np.ndarray:
    """Returns float32 zeros that begin at a cache line: a register never lies across two."""
    room = np.zeros(count + 16, np.float32)
    skip = -room.ctypes.data % 64 // 4
    return room[skip : skip + count]


def stride(units: int) -> int:
    """Returns the units padded to whole tiles."""
    return (units + TILE - 1) // TILE * TILE


def scratch(units: list[int], examples: int) -> Scratch:
    """Returns room for batches of at most ``examples`` of a network with these layer widths."""
    blocked = (examples + 63) // 64 * 64
    table = np.zeros((len(units), 4), np.int64)
    sizes = [(n * blocked, stride(n) * blocked, n * examples + 16, examples + 1) for n in units]
    table[1:] = np.cumsum(sizes, axis=0)[:-1]
    total = np.sum(sizes, axis=0)
    blocks, rows, lists, ends = (int(n) for n in total)
    longest = max(n * examples for n in units)

    return Scratch(
        table,
        np.zeros(blocked, np.int64),
        floats(stride(units[0]) * 16).view(np.uint8),
        floats((units[0] + 15) * blocked // 2).view(np.uint16),
        floats(blocks),
        floats(blocks),
        floats(rows),
        floats(rows),
        np.zeros(ends, np.int64),
        np.zeros(lists, np.int32),
        floats(lists),
        np.zeros(max(units) + 2, np.int64),
        np.zeros(longest, np.int32),
        floats(longest),
        np.zeros(max(*units, examples) + 2, np.int64),
        floats(GROUP * TILE + 16),
        floats(max(units) * blocked // 4),
        floats(2 * 64),
        floats(5),
    )
