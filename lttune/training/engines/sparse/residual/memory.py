"""The arrays that the kernels of residual networks work on, and their table's columns."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lttune.training.engines.sparse.convolutions.memory import Spectra

(NODE_SOURCES, NODE_CHANNELS, NODE_HEIGHT, NODE_WIDTH, NODE_ROWS, NODE_COLUMNS, NODE_STRIDE) = (
    range(7)
)
(NODE_SOURCE, NODE_ADDED, NODE_BESIDE, NODE_SHORTCUT, NODE_PASSED) = range(7, 12)
(NODE_GROUPS, NODE_ENDS, NODE_OFFSETS) = range(12, 15)
(NODE_TARGETS, NODE_BACK_GROUPS, NODE_BACK_ENDS, NODE_BACK_OFFSETS, NODE_BACK_PLACES) = range(
    15, 20
)
(NODE_COUNT, NODE_WEIGHTS, NODE_SCALE, NODE_SHIFT, NODE_MOMENTS, NODE_BEHIND) = range(20, 26)
(NODE_RAW, NODE_MAP, NODE_PHASES, NODE_DELTA, NODE_INNER, NODE_SHOWN) = range(26, 32)
(NODE_DENSE, NODE_FLAT, NODE_FILTERS) = range(32, 35)
NODE_COLUMN_COUNT = 35
"""Columns of ``Residual.layers``, one row a node. Channels of input and output; the output's size,
and filled up to whole bands; the stride. By number, -1 if there is none: the node whose result is
the input, the one whose result is added, the shortcut with the same input; whether this is one; the
node to whose result the input is added. Forward the number of groups of input channels, and where
in ``pattern`` their parts begin: where the weights of a group and output channel end, what place
each is multiplied with. Backward likewise the channels of the target, the groups of output
channels, ends and places, and each weight's own place. How many weights survive; where these, batch
norm's scales and its shifts begin in ``values``; its first channel among all of them; how
many weights of another node are in work beside it, and come before its own. Where in a block what
the convolution gives begins, and the result or its gradient. In the part of ``ResidualAlbum.maps``
for one block: the phases of its input; the gradient of what the convolution gives; the result of a
block's first node, which is made anew for the backward pass, -1 elsewhere; the result in an
evaluation. Whether so many weights survive that all are multiplied, by Winograd's algorithm; where
in ``pattern`` their positions in the full tensor begin, and in ``Spectra.filters`` their
spectra."""

MEAN, VARIANCE = range(2)
"""Rows of ``Residual.running``."""
(NORM_ABOUT, NORM_INVERSE, NORM_GAIN, NORM_OFFSET, NORM_SLOPE, NORM_LEVEL) = range(6)
NORM_ROW_COUNT = 6
"""Rows of ``ResidualAlbum.norms``: the mean; one over the standard deviation; forward what a
deviation from the mean is multiplied with and what is added; backward what a deviation gives the
gradient, and what is added there."""
FIRST_SUM, SECOND_SUM = range(2)
"""Rows of ``ResidualAlbum.totals``."""


class Residual(NamedTuple):
    """The parameters of a network's convolutions and batch norms."""

    layers: np.ndarray
    """int64 [nodes, 35]."""
    pattern: np.ndarray
    """int32: which weights survive, by output and by input channel."""
    values: np.ndarray
    """float32: surviving weights, scales and shifts."""
    first: np.ndarray
    """float32: the optimizer's first moments, or momentum."""
    second: np.ndarray
    """float32: the optimizer's second moments."""
    gradient: np.ndarray
    """float32: the gradients of ``values``."""
    running: np.ndarray
    """float32 [2, channels of all nodes]: batch norm's running means and variances."""


class ResidualAlbum(NamedTuple):
    """Room for the maps of one batch."""

    maps: np.ndarray
    """float32: what is needed of one block of examples only, and then block by block the pictures
    and all nodes' maps, ``LANES`` examples a block."""
    start: int
    """Where the first block begins."""
    block: int
    """Size of a block."""
    back: int
    """Where the gradient of a node's input is made."""
    back_phases: int
    """Likewise of its phases."""
    back_shortcut: int
    """Likewise of the phase that a shortcut reads."""
    sums: np.ndarray
    """float32: a band of all channels of a node."""
    lanes: np.ndarray
    """float32 [weights, lanes]: gradients of those in work, lane by lane."""
    unused: np.ndarray
    """float32 [channels, lanes]: those of biases, which a convolution before batch norm lacks."""
    turned: np.ndarray
    """float32: weights in work, by input channel."""
    folded: np.ndarray
    """float32, like ``Residual.values``: of an evaluation, with batch norm in them."""
    none: np.ndarray
    """float32: zeros, a convolution's biases."""
    spectra: Spectra
    norms: np.ndarray
    """float32 [6, channels of all nodes], flat."""
    totals: np.ndarray
    """float64 [2, channels of all nodes], flat: sums over a batch."""
    alive: np.ndarray
    """float32 [places of a band's row, lanes]: 1 where there is an example."""
    small: np.ndarray
    """float32 [2, lanes]: two sums."""
