"""Where each parameter of a masked network lies in the arrays of compiled code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lttune.models import Network
from lttune.models.masks import Mask
from lttune.training.engines.sparse import memory
from lttune.training.engines.sparse.memory import Parameters

CROSSOVER = (0.21, 0.7)
"""Surviving weights, as a share of those of the padded tiles, above which skipping zero inputs is
faster than skipping pruned weights: of the first layer, whose inputs are mostly dark, and of the
others. Measured: see docs/performance.md."""


@dataclass(frozen=True)
class LayerPlace:
    """Where one layer's parameters lie."""

    name: str
    shape: tuple[int, ...]
    survivors: np.ndarray
    """Positions of the surviving weights, in the order of ``values``, in the full tensor."""
    at: np.ndarray
    """Their positions in ``values``."""
    in_tiles: np.ndarray
    """Their positions in ``tiles``; empty if the layer is weight-sparse."""
    bias: int


def survivors_of(network: Network, mask: Mask, weight: str) -> np.ndarray:
    """Returns which weights of a tensor survive; of one that is not in the mask, all do."""
    return mask[weight].numpy() if weight in mask else np.ones(network.shapes[weight], bool)


def kind_of(keep: np.ndarray, *, first: bool) -> int:
    """Returns how a layer with this mask ([outputs, inputs]) is computed."""
    outputs, inputs = keep.shape
    share = np.count_nonzero(keep) / (inputs * memory.stride(outputs))
    return memory.INPUT_SPARSE if share > CROSSOVER[not first] else memory.WEIGHT_SPARSE


def _sixteens(count: Any) -> Any:
    return (count + 15) // 16 * 16


def _tiled(keep: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns what ``LayerPlace`` says of a layer in tiles, counted from the layer's beginning.

    The survivors of 16 input units in a tile follow one another; their number is filled up to a
    multiple of 16.
    """
    outputs, inputs = keep.shape
    tiles = memory.stride(outputs) // memory.TILE
    padded = np.zeros((tiles * memory.TILE, inputs), bool)
    padded[:outputs] = keep
    # As the tiles lie, so that what follows needs no sorting.
    turned = np.ascontiguousarray(padded.reshape(tiles, memory.TILE, -1).transpose(0, 2, 1))
    in_tiles = np.flatnonzero(turned)
    row, lane = in_tiles // memory.TILE, in_tiles % memory.TILE
    tile, source = np.divmod(np.arange(tiles * inputs), inputs)
    group = tile * -(-inputs // memory.GROUP) + source // memory.GROUP
    counts = np.bincount(group, np.count_nonzero(turned, axis=2).ravel()).astype(np.int64)
    starts, filled = np.cumsum(counts) - counts, np.cumsum(_sixteens(counts)) - _sixteens(counts)
    at = np.arange(len(in_tiles)) + (filled - starts)[group][row]
    return (tile * memory.TILE * inputs + source)[row] + lane * inputs, at, in_tiles


def _before(layer: np.ndarray) -> np.ndarray:
    """Returns the row of layer 0 where that is computed elsewhere and gives a layer its inputs."""
    row = np.zeros_like(layer)
    row[[memory.KIND, memory.INPUTS]] = memory.WEIGHT_SPARSE, 1
    row[[memory.OUTPUTS, memory.BIAS]] = layer[[memory.INPUTS, memory.BIAS]]
    return row


class Plan:
    """The layout of a network's linear layers under one mask, and its arrays.

    Args:
        network: what is planned.
        mask: which weights survive.
        front: how many layers come before them, and are not planned here. These are layer 0, so
            that what they give lies where the kernels look for the first linear layer's inputs.
    """

    def __init__(self, network: Network, mask: Mask, front: int = 0) -> None:
        keeps = {
            name: survivors_of(network, mask, weight)
            for name, weight in list(zip(network.kinds, network.prunable, strict=True))[front:]
        }
        layers = np.zeros((len(keeps), memory.COLUMN_COUNT), np.int64)
        for layer, keep in zip(layers, keeps.values(), strict=True):
            first = keep is next(iter(keeps.values()))
            # What a convolution gives is rarely zero, and its weights in strips are fast.
            kind = memory.WEIGHT_SPARSE if first and front else kind_of(keep, first=first)
            layer[:3] = kind, keep.shape[1], keep.shape[0]
        pattern, entries, size, tiles = [np.zeros(0, np.int32)], 0, 0, 0
        lists: dict[str, _SparseLayer] = {}
        for number, (layer, (name, keep)) in enumerate(zip(layers, keeps.items(), strict=True)):
            if layer[memory.KIND] == memory.WEIGHT_SPARSE:
                layer[memory.WEIGHTS] = size
                # Only what convolutions give is too much for the cache.
                strip = memory.INPUT_STRIP if front and number == 0 else keep.shape[1]
                layer[memory.STRIPS] = -(-keep.shape[1] // strip)
                lists[name] = _listed(keep, strip)
                parts = lists[name].pattern
                layer[memory.COUNT] = len(parts[memory.FOURS - memory.ENDS]) * memory.FOUR
                size += layer[memory.COUNT]
                ends = entries + np.cumsum([0, *map(len, parts)])
                layer[memory.ENDS : memory.STRIPS] = ends[:-1]
                pattern += parts
                entries = int(ends[-1])
        biases = size
        for layer in layers:
            layer[memory.BIAS] = size
            size += memory.stride(int(layer[memory.OUTPUTS]))
        biases = size - biases
        self._places: list[LayerPlace] = []
        for layer, (name, keep) in zip(layers, keeps.items(), strict=True):
            if name in lists:
                survivors, at = lists[name].survivors, lists[name].at
                in_tiles = np.zeros(0, np.int64)
            else:
                layer[[memory.WEIGHTS, memory.TILES]] = size, tiles
                survivors, at, in_tiles = _tiled(keep)
                in_tiles = in_tiles + tiles
                size += _sixteens(int(at.max()) + 1)
                tiles += keep.shape[1] * memory.stride(keep.shape[0])
            start = int(layer[memory.WEIGHTS])
            self._places.append(
                LayerPlace(
                    name, keep.shape, survivors, start + at, in_tiles, int(layer[memory.BIAS])
                )
            )
        alive = np.zeros(tiles, np.uint8)
        for place in self._places:
            alive[place.in_tiles] = 1
        # Registers reach over the end of the last run.
        arrays = (
            memory.floats(count) for count in (tiles, size + 16, size + 16, size + 16, biases)
        )
        if front:
            layers = np.vstack([_before(layers[0]), layers])
        self.units = [layers[0, memory.INPUTS].item(), *layers[:, memory.OUTPUTS].tolist()]
        """Widths, from the pixels to the classes."""
        bits = np.packbits(alive, bitorder="little").view(np.uint16)
        self.parameters = Parameters(layers, np.concatenate(pattern), bits, *arrays)

    def write(self, weights: Mapping[str, Tensor]) -> None:
        """Copies the surviving weights and the biases of full tensors to the arrays."""
        values = self.parameters.values
        for place in self._places:
            full = weights[f"{place.name}.weight"].detach().numpy()
            values[place.at] = full.reshape(-1)[place.survivors]
            self.parameters.tiles[place.in_tiles] = values[place.at[: len(place.in_tiles)]]
            bias = weights[f"{place.name}.bias"].detach().numpy()
            values[place.bias : place.bias + len(bias)] = bias

    def read(self) -> dict[str, Tensor]:
        """Returns the weights as full tensors, pruned ones exactly zero."""
        values, weights = self.parameters.values, {}
        for place in self._places:
            full = np.zeros(place.shape, np.float32)
            full.ravel()[place.survivors] = values[place.at]
            weights[f"{place.name}.weight"] = torch.from_numpy(full)
            bias = values[place.bias : place.bias + place.shape[0]].copy()
            weights[f"{place.name}.bias"] = torch.from_numpy(bias)
        return weights


@dataclass(frozen=True)
class _SparseLayer:
    """One weight-sparse layer."""

    survivors: np.ndarray
    """As of ``LayerPlace``, and so is ``at``, counted from the layer's beginning."""
    at: np.ndarray
    pattern: list[np.ndarray]
    """Its parts of the pattern in the order of the columns of ``Parameters.layers``."""


def _listed(keep: np.ndarray, strip: int) -> _SparseLayer:
    """Returns the lists of a layer; the weights of each unit are filled up to fours.

    Weights lie by strip of so many input units, then by output unit, then by input unit.
    """
    outputs, inputs = keep.shape
    survivors = np.flatnonzero(keep)
    if inputs > strip:
        strips = (survivors % inputs // strip).astype(np.uint16)
        survivors = survivors[np.argsort(strips, kind="stable")]
    row, column = np.divmod(survivors, inputs)
    runs = -(-inputs // strip) * outputs
    counts = np.bincount(column // strip * outputs + row, minlength=runs)
    fours = -(-counts // memory.FOUR)
    filled = np.cumsum(fours * memory.FOUR)
    ends = filled - fours * memory.FOUR + counts
    at = np.arange(len(survivors)) + np.repeat(ends - np.cumsum(counts), counts)
    units = np.repeat(np.arange(runs) % outputs, fours)
    # Gradients are computed 16 at a time: what fills the last is trained like a weight, too.
    units = np.append(units, np.zeros(-len(units) % 4, int))
    columns = np.zeros(len(units) * memory.FOUR, np.int64)
    columns[at] = column
    # Of short numbers it is a radix sort.
    turned = np.argsort(column.astype(np.min_scalar_type(inputs - 1)), kind="stable")
    in_ends = np.cumsum(np.bincount(column, minlength=inputs))
    pattern = (ends, columns, units, in_ends, row[turned], at[turned])
    return _SparseLayer(survivors, at, [part.astype(np.int32) for part in pattern])
