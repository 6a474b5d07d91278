"""Where the parameters and the maps of a residual network lie in the arrays of compiled code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lttune.models import Network
from lttune.models.masks import Mask
from lttune.training.engines.sparse.blocks import NO_NODE, BlockNode
from lttune.training.engines.sparse.convolutions.memory import Spectra
from lttune.training.engines.sparse.instructions import bands
from lttune.training.engines.sparse.memory import floats
from lttune.training.engines.sparse.plan import survivors_of
from lttune.training.engines.sparse.residual import memory
from lttune.training.engines.sparse.residual.lists import PHASE_COUNT, node_lists
from lttune.training.engines.sparse.residual.memory import Residual, ResidualAlbum

WINOGRAD_SHARES = ((32, 0.52), (16, 0.7))
"""Fewest channels of input and output, and the share of surviving weights above which multiplying
all of them by Winograd's algorithm is faster. Measured: see docs/performance.md."""
RUNNING_MOMENTS = ("running_mean", "running_var")


@dataclass(frozen=True)
class NodePlace:
    """Where one node's parameters lie."""

    node: BlockNode
    shape: tuple[int, ...]
    survivors: np.ndarray
    """Positions of the surviving weights in the full tensor, in the order of ``values``."""
    weights: int
    """Where these begin."""
    norm: dict[str, int]
    """Where batch norm's scale and shift begin, by the names of their parameters."""
    moments: int
    """The node's first channel in ``running``."""


class ResidualPlan:
    """The layout of a network's nodes under one mask, and their arrays.

    Args:
        network: what is planned.
        chain: its nodes.
        mask: which weights survive.
    """

    def __init__(self, network: Network, chain: Sequence[BlockNode], mask: Mask) -> None:
        layers = np.zeros((len(chain), memory.NODE_COLUMN_COUNT), np.int64)
        pattern, listed_yet, size, moments, filters = list[np.ndarray](), 0, 0, 0, 0
        self._places: list[NodePlace] = []
        self._block, self._front = chain[0].sources * _picture(chain[0]), 0
        self._shared: dict[tuple[str, int, int], int] = {}
        for number, (layer, node) in enumerate(zip(layers, chain, strict=True)):
            keep = survivors_of(network, mask, f"{node.name}.weight")
            rows, columns = _filled_size(node)
            lists = node_lists(keep, node.stride, rows, columns)
            layer[: memory.NODE_STRIDE + 1] = (
                node.sources,
                node.channels,
                node.height,
                node.width,
                rows,
                columns,
                node.stride,
            )
            layer[
                [memory.NODE_SOURCE, memory.NODE_ADDED, memory.NODE_BESIDE, memory.NODE_SHORTCUT]
            ] = (
                node.source,
                node.added,
                node.beside,
                node.shortcut,
            )
            layer[memory.NODE_PASSED] = _passed(chain, number)
            layer[[memory.NODE_GROUPS, memory.NODE_TARGETS, memory.NODE_BACK_GROUPS]] = (
                lists.groups,
                lists.targets,
                lists.back_groups,
            )
            parts = [
                lists.ends,
                lists.offsets,
                lists.back_ends,
                lists.back_offsets,
                lists.back_places,
                lists.survivors.astype(np.int32),
            ]
            starts = listed_yet + np.cumsum([0, *map(len, parts)])
            layer[[memory.NODE_ENDS, memory.NODE_OFFSETS]] = starts[:2]
            layer[memory.NODE_BACK_ENDS : memory.NODE_BACK_PLACES + 1] = starts[2:5]
            layer[memory.NODE_FLAT] = starts[5]
            pattern += parts
            listed_yet = int(starts[-1])
            layer[memory.NODE_DENSE] = _is_dense(node, len(lists.survivors) / keep.size)
            layer[memory.NODE_FILTERS], filters = filters, filters + _filters(node)
            # The optimizer takes 16 at a time: what fills the last stays zero.
            layer[[memory.NODE_COUNT, memory.NODE_WEIGHTS]] = len(lists.survivors), size
            layer[memory.NODE_SCALE] = size + _filled(len(lists.survivors), 16)
            layer[memory.NODE_SHIFT] = layer[memory.NODE_SCALE] + _filled(node.channels, 16)
            layer[memory.NODE_MOMENTS], moments = moments, moments + node.channels
            self._places.append(
                NodePlace(
                    node,
                    keep.shape,
                    lists.survivors,
                    size,
                    {
                        "weight": int(layer[memory.NODE_SCALE]),
                        "bias": int(layer[memory.NODE_SHIFT]),
                    },
                    int(layer[memory.NODE_MOMENTS]),
                )
            )
            size = int(layer[memory.NODE_SHIFT]) + _filled(node.channels, 16)
            # Others add what all nodes give but the first of a block.
            inner = number > 0 and node.added == NO_NODE and not node.shortcut
            self._lay_maps(layer, node, inner=inner)
        for node, layer in zip(chain, layers, strict=True):
            if node.beside != NO_NODE:
                layers[node.beside, memory.NODE_BEHIND] = layer[memory.NODE_COUNT]
            # A shortcut's deltas are those of the node that it is added to.
            if node.added != NO_NODE and chain[node.added].shortcut:
                layers[node.added, memory.NODE_MAP] = layer[memory.NODE_MAP]
        values, first, second, gradient = (floats(size) for _ in range(4))
        running = floats(2 * moments).reshape(2, moments)
        self.parameters = Residual(
            layers, np.concatenate(pattern), values, first, second, gradient, running
        )

    def _lay_maps(self, layer: np.ndarray, node: BlockNode, *, inner: bool) -> None:
        """Gives a node its places in the maps; ``inner`` if only its block needs its result."""
        size = node.channels * _picture(node)
        layer[memory.NODE_RAW], self._block = self._block, self._block + size
        if not node.shortcut:
            layer[memory.NODE_MAP], self._block = self._block, self._block + size
        if node.stride == 2 and not node.shortcut:
            layer[memory.NODE_PHASES] = self._front
            self._front += PHASE_COUNT * node.sources * _picture(node)
        layer[memory.NODE_DELTA] = self._share("shortcut" if node.shortcut else "delta", node)
        layer[memory.NODE_INNER] = self._share("inner", node) if inner else -1
        layer[memory.NODE_SHOWN] = self._share("inner" if inner else "stream", node)

    def _share(self, use: str, node: BlockNode) -> int:
        """Returns where all nodes with maps of this kind and size have theirs, one at a time."""
        # Twice as many channels come with every halving, so that margins stay where they are.
        key = use, node.channels, _picture(node)
        if key not in self._shared:
            self._shared[key], self._front = self._front, self._front + node.channels * key[2]
        return self._shared[key]

    def album(self, examples: int) -> ResidualAlbum:
        """Returns room for batches of at most so many examples."""
        layers, chain = self.parameters.layers, [place.node for place in self._places]
        before = [chain[node.source] for node in chain if node.source != NO_NODE]
        back = max(node.channels * _picture(node) for node in before)
        strided = [
            (t, _picture(n)) for t, n in zip(layers[:, memory.NODE_TARGETS], chain, strict=True)
        ]
        phases = max(int(targets) * picture for targets, picture in strided)
        work = int((layers[:, memory.NODE_COUNT] + layers[:, memory.NODE_BEHIND]).max())
        blocks = _filled(examples, bands.LANES) // bands.LANES
        start = self._front + back + 2 * phases
        widest = int(layers[:, [memory.NODE_CHANNELS, memory.NODE_TARGETS]].max())
        channels = self.parameters.running.shape[1]
        return ResidualAlbum(
            floats(start + blocks * self._block),
            start,
            self._block,
            self._front,
            self._front + back,
            self._front + back + phases,
            floats(widest * 2 * bands.ROW_LANES),
            floats(work * bands.LANES),
            floats(widest * bands.LANES),
            floats(work),
            floats(len(self.parameters.values)),
            floats(widest),
            self._spectra(),
            floats(memory.NORM_ROW_COUNT * channels),
            np.zeros(2 * channels),
            floats(bands.ROW_LANES),
            floats(2 * bands.LANES),
        )

    def _spectra(self) -> Spectra:
        """Returns room for the nodes of which all weights are multiplied."""
        dense = [
            place.node
            for place, layer in zip(self._places, self.parameters.layers, strict=True)
            if layer[memory.NODE_DENSE]
        ]
        widest = _filled(max((max(n.sources, n.channels) for n in dense), default=0), 2)
        most = max((n.sources * n.channels for n in dense), default=0)
        return Spectra(
            floats(9 * most),
            floats(sum(_filters(place.node) for place in self._places) if dense else 0),
            floats(16 * widest * bands.ROW_LANES),
            floats(16 * widest * bands.ROW_LANES),
            floats(12),
        )

    def write(self, weights: Mapping[str, Tensor]) -> None:
        """Copies the parameters and running moments of full tensors to the arrays."""
        values = self.parameters.values
        for place in self._places:
            full = weights[f"{place.node.name}.weight"].detach().numpy()
            values[place.weights :][: len(place.survivors)] = full.reshape(-1)[place.survivors]
            channels = place.node.channels
            for name, at in place.norm.items():
                values[at : at + channels] = weights[f"{place.node.norm}.{name}"].detach().numpy()
            for row, name in zip(self.parameters.running, RUNNING_MOMENTS, strict=True):
                moment = weights[f"{place.node.norm}.{name}"].numpy()
                row[place.moments : place.moments + channels] = moment

    def read(self) -> dict[str, Tensor]:
        """Returns all as full tensors, pruned weights exactly zero."""
        values, found = self.parameters.values, dict[str, Tensor]()
        for place in self._places:
            full = np.zeros(place.shape, np.float32)
            full.ravel()[place.survivors] = values[place.weights :][: len(place.survivors)]
            found[f"{place.node.name}.weight"] = torch.from_numpy(full)
            channels = place.node.channels
            for name, at in place.norm.items():
                own = values[at : at + channels].copy()
                found[f"{place.node.norm}.{name}"] = torch.from_numpy(own)
            for row, name in zip(self.parameters.running, RUNNING_MOMENTS, strict=True):
                own = row[place.moments : place.moments + channels].copy()
                found[f"{place.node.norm}.{name}"] = torch.from_numpy(own)
        return found


def _passed(chain: Sequence[BlockNode], number: int) -> int:
    """Returns the node to whose result the input of a block's first node is added."""
    source = chain[number].source
    if source == NO_NODE or chain[number].shortcut:
        return NO_NODE
    adding = (k for k, node in enumerate(chain) if k > number and node.added == source)
    return next(adding, NO_NODE)


def _is_dense(node: BlockNode, share: float) -> bool:
    """Returns whether all of a node's weights are multiplied where this share of them survives."""
    fewest = min(node.sources, node.channels)
    fits = (node.edge, node.stride) == (3, 1)
    return fits and any(fewest >= least and share > bar for least, bar in WINOGRAD_SHARES)


def _filters(node: BlockNode) -> int:
    """Returns the size of the spectra of a node's weights, forward or back."""
    return 16 * _filled(node.sources, 2) * _filled(node.channels, 2)


def _filled(count: int, to: int) -> int:
    return -(-count // to) * to


def _filled_size(node: BlockNode) -> tuple[int, int]:
    return _filled(node.height, 4), _filled(node.width, bands.BAND_COLUMNS)


def _picture(node: BlockNode) -> int:
    """Returns the size of a channel of a map, with its margin."""
    rows, columns = _filled_size(node)
    return (rows + 2) * (columns + 2) * bands.LANES
