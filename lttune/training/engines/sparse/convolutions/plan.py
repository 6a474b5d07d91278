"""Where the parameters of masked convolutions lie in the arrays of compiled code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lttune.models import Network
from lttune.models.masks import Mask
from lttune.training.engines.sparse.convolutions import memory
from lttune.training.engines.sparse.convolutions.memory import (
    Album,
    Convolutions,
    Routes,
    Spectra,
)
from lttune.training.engines.sparse.instructions import bands
from lttune.training.engines.sparse.memory import floats
from lttune.training.engines.sparse.network import Stage
from lttune.training.engines.sparse.plan import survivors_of

WINOGRAD_SHARE = 0.42
"""Surviving weights, as a share of all, above which multiplying all of them by Winograd's algorithm
is faster than skipping the pruned ones. Measured: see docs/performance.md."""
FEWEST_CHANNELS = 16
"""Of input and of output below which the algorithm's transforms cost more than they save."""


@dataclass(frozen=True)
class ConvolutionPlace:
    """Where one convolution's parameters lie."""

    name: str
    shape: tuple[int, ...]
    survivors: np.ndarray
    """Positions of the surviving weights in the full tensor, in the order of ``values``."""
    weights: int
    """Where these begin."""
    bias: int


class ConvolutionPlan:
    """The layout of a network's convolutions under one mask, and their arrays.

    Args:
        network: what is planned.
        stages: its convolutions.
        mask: which weights survive.
    """

    def __init__(self, network: Network, stages: Sequence[Stage], mask: Mask) -> None:
        layers = np.zeros((len(stages), memory.CONV_COLUMN_COUNT), np.int64)
        pattern, listed, size, block = list[np.ndarray](), 0, 0, 0
        self._places: list[ConvolutionPlace] = []
        for number, (layer, stage) in enumerate(zip(layers, stages, strict=True)):
            keep = survivors_of(network, mask, f"{stage.name}.weight")
            rows = _filled(stage.height, 4)
            columns = _filled(stage.width, bands.BAND_COLUMNS)
            picture = (rows + 2) * (columns + 2) * bands.LANES
            layer[: memory.CONV_POOLED + 1] = (
                stage.sources,
                stage.channels,
                stage.height,
                stage.width,
                rows,
                columns,
                stage.pooled,
            )
            survivors, parts, groups = _listed(keep, rows, columns)
            layer[[memory.CONV_GROUPS, memory.CONV_BACK_GROUPS]] = groups
            starts = listed + np.cumsum([0, *map(len, parts)])
            layer[[*range(memory.CONV_ENDS, memory.CONV_OFFSETS + 1)]] = starts[:2]
            layer[[*range(memory.CONV_BACK_ENDS, memory.CONV_BACK_PLACES + 1)]] = starts[2:5]
            layer[[memory.CONV_POSITIONS, memory.CONV_FLAT]] = starts[5:7]
            enough = min(keep.shape[:2]) >= FEWEST_CHANNELS
            layer[memory.CONV_DENSE] = enough and len(survivors) > WINOGRAD_SHARE * keep.size
            fitting = memory.STRIP_BYTES // (4 * bands.CHUNK * (columns + 2)) - 2
            layer[memory.CONV_STRIP_ROWS] = min(rows, max(2, fitting // 2 * 2))
            pattern += parts
            listed = int(starts[-1])
            # The optimizer takes 16 at a time: what fills the last stays zero.
            layer[memory.CONV_COUNT], layer[memory.CONV_WEIGHTS] = len(survivors), size
            layer[memory.CONV_BIAS] = size + _filled(len(survivors), 16)
            size = int(layer[memory.CONV_BIAS]) + _filled(stage.channels, 16)
            # What a convolution without pooling gives is what the next one reads.
            if number == 0 or stages[number - 1].pooled:
                layer[memory.CONV_INPUT], block = block, block + stage.sources * picture
            else:
                layer[memory.CONV_INPUT] = layers[number - 1, memory.CONV_OUTPUT]
            layer[memory.CONV_OUTPUT], block = block, block + stage.channels * picture
            self._places.append(
                ConvolutionPlace(
                    stage.name,
                    keep.shape,
                    survivors,
                    int(layer[memory.CONV_WEIGHTS]),
                    int(layer[memory.CONV_BIAS]),
                )
            )
        values, first, second, gradient = (floats(size) for _ in range(4))
        self.parameters = Convolutions(
            layers, np.concatenate(pattern), values, first, second, gradient
        )
        self._block = block

    def album(self, examples: int) -> Album:
        """Returns room for batches of at most so many examples."""
        layers = self.parameters.layers
        widest = int(layers[:, [memory.CONV_SOURCES, memory.CONV_CHANNELS]].max())
        most = int(layers[:, memory.CONV_COUNT].max())
        blocks = _filled(examples, bands.LANES) // bands.LANES
        # The last channels are read as a whole chunk.
        behind = int(
            ((layers[:, memory.CONV_ROWS] + 2) * (layers[:, memory.CONV_COLUMNS] + 2)).max()
        )
        return Album(
            floats(blocks * self._block + behind * bands.LANES * bands.CHUNK),
            self._block,
            floats(widest * 2 * bands.ROW_LANES),
            floats((most + widest) * bands.LANES),
            floats(most),
            floats(widest),
            _routes(layers[layers[:, memory.CONV_POOLED] == 1]),
            _spectra(layers[layers[:, memory.CONV_DENSE] == 1]),
        )

    def write(self, weights: Mapping[str, Tensor]) -> None:
        """Copies the surviving weights and the biases of full tensors to the arrays."""
        values = self.parameters.values
        for place in self._places:
            full = weights[f"{place.name}.weight"].detach().numpy()
            values[place.weights :][: len(place.survivors)] = full.reshape(-1)[place.survivors]
            bias = weights[f"{place.name}.bias"].detach().numpy()
            values[place.bias : place.bias + len(bias)] = bias

    def read(self) -> dict[str, Tensor]:
        """Returns the weights as full tensors, pruned ones exactly zero."""
        values, weights = self.parameters.values, {}
        for place in self._places:
            full = np.zeros(place.shape, np.float32)
            full.ravel()[place.survivors] = values[place.weights :][: len(place.survivors)]
            weights[f"{place.name}.weight"] = torch.from_numpy(full)
            bias = values[place.bias : place.bias + place.shape[0]].copy()
            weights[f"{place.name}.bias"] = torch.from_numpy(bias)
        return weights


def _routes(layers: np.ndarray) -> Routes:
    """Returns room for the layers with pooling."""
    rows, columns, channels = layers[
        :, [memory.CONV_STRIP_ROWS, memory.CONV_COLUMNS, memory.CONV_CHANNELS]
    ].T
    windows = rows // 2 * (columns // 2) * bands.LANES
    chunks = -(-layers[:, memory.CONV_SOURCES] // bands.CHUNK)
    # A list is written one place beyond its end.
    listed = int((windows * channels).max()) + 1
    return Routes(
        floats(int(windows.max())),
        np.zeros(int(windows.max()), np.int32),
        floats(listed),
        np.zeros(listed, np.int32),
        np.zeros(int(channels.max()) * bands.LANES, np.int32),
        floats(int(((rows + 2) * (columns + 2)).max()) * bands.CHUNK * bands.LANES),
        floats(int((chunks * channels).max()) * 9 * bands.CHUNK),
    )


def _spectra(layers: np.ndarray) -> Spectra:
    """Returns room for the layers of which all weights are multiplied."""
    sources, channels = layers[:, [memory.CONV_SOURCES, memory.CONV_CHANNELS]].T
    widest = _filled(int(max(sources.max(), channels.max())), 2) if len(layers) else 0
    most = int((sources * channels).max()) if len(layers) else 0
    return Spectra(
        floats(9 * most),
        floats(16 * (most + widest)),
        floats(16 * widest * bands.ROW_LANES),
        floats(16 * widest * bands.ROW_LANES),
        floats(12),
    )


def _filled(count: int, to: int) -> int:
    return -(-count // to) * to


def _ends(group: np.ndarray, unit: np.ndarray, groups: int, units: int) -> np.ndarray:
    """Returns where the weights of each group and unit end, in this order."""
    return np.cumsum(np.bincount(group * units + unit, minlength=groups * units))


def _listed(
    keep: np.ndarray, rows: int, columns: int
) -> tuple[np.ndarray, list[np.ndarray], tuple[int, int]]:
    """Returns the survivors of a mask [channels, sources, 3, 3] in the order of the kernels.

    Beside them stand the parts of the pattern in the order of the columns of the table, and last
    the numbers of groups.
    """
    channels, sources, _, _ = keep.shape
    flat = np.flatnonzero(keep)
    channel, source, row, column = np.unravel_index(flat, keep.shape)
    line = (columns + 2) * bands.LANES
    plane = (rows + 2) * line
    groups, back_groups = (
        _filled(n, memory.CHANNEL_GROUP) // memory.CHANNEL_GROUP for n in (sources, channels)
    )
    # Survivors are sorted by channel, source and place: a stable order leaves that inside.
    ahead = np.argsort(source // memory.CHANNEL_GROUP, kind="stable")
    offsets = source * plane + row * line + column * bands.LANES
    ends = _ends(source // memory.CHANNEL_GROUP, channel, groups, channels)
    # Back from its outputs, each place is seen from the opposite side.
    back = np.lexsort((channel, source, channel // memory.CHANNEL_GROUP))
    back_offsets = channel * plane + (2 - row) * line + (2 - column) * bands.LANES
    back_ends = _ends(channel // memory.CHANNEL_GROUP, source, back_groups, sources)
    own = np.empty_like(ahead)
    own[ahead] = np.arange(len(flat))
    chunk, lane = np.divmod(source, bands.CHUNK)
    positions = ((chunk * channels + channel) * 9 + row * 3 + column) * bands.CHUNK + lane
    parts = (
        ends,
        offsets[ahead],
        back_ends,
        back_offsets[back],
        own[back],
        positions[ahead],
        flat[ahead],
    )
    return flat[ahead], [part.astype(np.int32) for part in parts], (groups, back_groups)
