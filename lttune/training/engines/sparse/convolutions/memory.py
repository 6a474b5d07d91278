"""The arrays that the kernels of convolutions work on, and the meaning of their table's columns."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

(CONV_SOURCES, CONV_CHANNELS, CONV_HEIGHT, CONV_WIDTH, CONV_ROWS, CONV_COLUMNS, CONV_POOLED) = (
    range(7)
)
(CONV_GROUPS, CONV_ENDS, CONV_OFFSETS) = range(7, 10)
(CONV_BACK_GROUPS, CONV_BACK_ENDS, CONV_BACK_OFFSETS, CONV_BACK_PLACES) = range(10, 14)
(CONV_COUNT, CONV_WEIGHTS, CONV_BIAS, CONV_INPUT, CONV_OUTPUT) = range(14, 19)
(CONV_STRIP_ROWS, CONV_POSITIONS, CONV_FLAT, CONV_DENSE) = range(19, 23)
CONV_COLUMN_COUNT = 23
"""Columns of ``Convolutions.layers``: channels of input and output; the picture's size, and filled
up to whole bands; whether a pooling follows; forward and backward the number of groups and where in
``pattern`` their parts begin: where the weights of a group and output channel end, what place each
is multiplied with, and backward each weight's own place; how many weights survive; where these and
the biases begin in ``values``; where input and output of a block begin in its pictures; of a layer
with pooling the rows whose inputs stay in the first-level cache, and where in ``pattern`` the
places of its survivors in ``Routes.sums`` begin; where the survivors' places in the full tensor
begin; whether so many survive that all weights are multiplied."""
CHANNEL_GROUP = 16
"""Channels whose part of the pictures stays in the first-level cache: 40 KiB of a band of 16 lanes,
12 of one of 8."""
SPECTRUM_CHANNELS = 64
"""Channels whose numbers of a spectrum stay in the first-level cache."""
STRIP_BYTES = 28 << 10
"""Of the inputs of an example that stay in the first-level cache."""
GRADIENT_ROWS = 8
"""Rows of a picture over which the gradients of a group are summed before those of the next."""


class Convolutions(NamedTuple):
    """The parameters of a network's convolutions."""

    layers: np.ndarray
    """int64 [layers, 23]."""
    pattern: np.ndarray
    """int32: which weights survive, by output and by input channel."""
    values: np.ndarray
    """float32: surviving weights and biases."""
    first: np.ndarray
    """float32: the optimizer's first moments, or momentum."""
    second: np.ndarray
    """float32: the optimizer's second moments."""
    gradient: np.ndarray
    """float32: the gradients of ``values``."""


class Gallery(NamedTuple):
    """A dataset."""

    pixels: np.ndarray
    """uint8 [examples * channels * height * width]."""
    shades: np.ndarray
    """float32 [channels * 256]: the input that each value of a pixel is."""
    labels: np.ndarray
    """int64 [examples]."""


class Routes(NamedTuple):
    """Room for the gradients of a layer with pooling."""

    window_values: np.ndarray
    """float32 [windows of a strip, lanes]: deltas of a channel."""
    window_places: np.ndarray
    """int32: where in a strip these are."""
    values: np.ndarray
    """float32 [lanes, channels, windows]: deltas that are not zero."""
    places: np.ndarray
    """int32: likewise."""
    ends: np.ndarray
    """int32 [lanes, channels]: where each list ends."""
    strip: np.ndarray
    """float32 [lanes, rows, columns, CHUNK]: inputs of a strip."""
    sums: np.ndarray
    """float32 [chunks, channels, 9, CHUNK]: gradients of all weights."""


class Spectra(NamedTuple):
    """Room for convolutions by Winograd's algorithm."""

    full: np.ndarray
    """float32: the weights of a layer with zeros."""
    filters: np.ndarray
    """float32 [16, outputs, inputs]: their spectra."""
    spectra: np.ndarray
    """float32 [16, inputs, tiles, lanes]: of a band."""
    products: np.ndarray
    """float32 [16, outputs, tiles, lanes]."""
    small: np.ndarray
    """float32 [12]: a filter, transformed by columns."""


class Album(NamedTuple):
    """Room for the pictures of one batch."""

    pictures: np.ndarray
    """float32 [blocks, block]: inputs and outputs of all layers, of ``LANES`` examples a block."""
    block: int
    """Size of a block."""
    sums: np.ndarray
    """float32: a band of all channels of a layer."""
    lanes: np.ndarray
    """float32 [parameters of a layer, lanes]: gradients, lane by lane."""
    turned: np.ndarray
    """float32: a layer's weights by input channel."""
    none: np.ndarray
    """float32: zeros, the biases of a backward pass."""
    routes: Routes
    spectra: Spectra
