"""Where the parameters and the maps of a residual network lie in the arrays of compiled code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lttune.models import Network
from lttune.models.masks import Mask
from lttune.training.engines.sparse.blocks import NONE, Node
from lttune.training.engines.sparse.convolutions.memory import Spectra
from lttune.training.engines.sparse.instructions import bands
from lttune.training.engines.sparse.memory import floats
from lttune.training.engines.sparse.plan import survivors_of
from lttune.training.engines.sparse.residual import memory
from lttune.training.engines.sparse.residual.lists import PHASES, listed
from lttune.training.engines.sparse.residual.memory import Album, Residual

WINOGRAD_SHARES = ((32, 0.52), (16, 0.7))
"""Fewest channels of input and output, and the share of surviving weights above which multiplying
all of them by Winograd's algorithm is faster. Measured: see docs/performance.md."""
MOMENTS = ("running_mean", "running_var")


@dataclass(frozen=True)
class NodePlace:
    """Where one node's parameters lie."""

    node: Node
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

    def __init__(self, network: Network, chain: Sequence[Node], mask: Mask) -> None:
        layers = np.zeros((len(chain), memory.COLUMN_COUNT), np.int64)
        pattern, listed_yet, size, moments, filters = list[np.ndarray](), 0, 0, 0, 0
        self._places: list[NodePlace] = []
        self._block, self._front = chain[0].sources * _picture(chain[0]), 0
        self._shared: dict[tuple[str, int, int], int] = {}
        for number, (layer, node) in enumerate(zip(layers, chain, strict=True)):
            keep = survivors_of(network, mask, f"{node.name}.weight")
            rows, columns = _filled_size(node)
            lists = listed(keep, node.stride, rows, columns)
            layer[: memory.STRIDE + 1] = (
                node.sources,
                node.channels,
                node.height,
                node.width,
                rows,
                columns,
                node.stride,
            )
            layer[[memory.SOURCE, memory.ADDED, memory.BESIDE, memory.SHORTCUT]] = (
                node.source,
                node.added,
                node.beside,
                node.shortcut,
            )
            layer[memory.PASSED] = _passed(chain, number)
            layer[[memory.GROUPS, memory.TARGETS, memory.BACK_GROUPS]] = (
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
            layer[[memory.ENDS, memory.OFFSETS]] = starts[:2]
            layer[memory.BACK_ENDS : memory.BACK_PLACES + 1] = starts[2:5]
            layer[memory.FLAT] = starts[5]
            pattern += parts
            listed_yet = int(starts[-1])
            layer[memory.DENSE] = _is_dense(node, len(lists.survivors) / keep.size)
            layer[memory.FILTERS], filters = filters, filters + _filters(node)
            # The optimizer takes 16 at a time: what fills the last stays zero.
            layer[[memory.COUNT, memory.WEIGHTS]] = len(lists.survivors), size
            layer[memory.SCALE] = size + _filled(len(lists.survivors), 16)
            layer[memory.SHIFT] = layer[memory.SCALE] + _filled(node.channels, 16)
            layer[memory.MOMENTS], moments = moments, moments + node.channels
            self._places.append(
                NodePlace(
                    node,
                    keep.shape,
                    lists.survivors,
                    size,
                    {"weight": int(layer[memory.SCALE]), "bias": int(layer[memory.SHIFT])},
                    int(layer[memory.MOMENTS]),
                )
            )
            size = int(layer[memory.SHIFT]) + _filled(node.channels, 16)
            # Others add what all nodes give but the first of a block.
            inner = number > 0 and node.added == NONE and not node.shortcut
            self._lay_maps(layer, node, inner=inner)
        for node, layer in zip(chain, layers, strict=True):
            if node.beside != NONE:
                layers[node.beside, memory.BEHIND] = layer[memory.COUNT]
            # A shortcut's deltas are those of the node that it is added to.
            if node.added != NONE and chain[node.added].shortcut:
                layers[node.added, memory.MAP] = layer[memory.MAP]
        values, first, second, gradient = (floats(size) for _ in range(4))
        running = floats(2 * moments).reshape(2, moments)
        self.parameters = Residual(
            layers, np.concatenate(pattern), values, first, second, gradient, running
        )

    def _lay_maps(self, layer: np.ndarray, node: Node, *, inner: bool) -> None:
        """Gives a node its places in the maps; ``inner`` if only its block needs its result."""
        size = node.channels * _picture(node)
        layer[memory.RAW], self._block = self._block, self._block + size
        if not node.shortcut:
            layer[memory.MAP], self._block = self._block, self._block + size
        if node.stride == 2 and not node.shortcut:
            layer[memory.PHASES] = self._front
            self._front += PHASES * node.sources * _picture(node)
        layer[memory.DELTA] = self._share("shortcut" if node.shortcut else "delta", node)
        layer[memory.INNER] = self._share("inner", node) if inner else NONE
        layer[memory.SHOWN] = self._share("inner" if inner else "stream", node)

    def _share(self, use: str, node: Node) -> int:
        """Returns where all nodes with maps of this kind and size have theirs, one at a time."""
        # Twice as many channels come with every halving, so that margins stay where they are.
        key = use, node.channels, _picture(node)
        if key not in self._shared:
            self._shared[key], self._front = self._front, self._front + node.channels * key[2]
        return self._shared[key]

    def album(self, examples: int) -> Album:
        """Returns room for batches of at most so many examples."""
        layers, chain = self.parameters.layers, [place.node for place in self._places]
        before = [chain[node.source] for node in chain if node.source != NONE]
        back = max(node.channels * _picture(node) for node in before)
        strided = [(t, _picture(n)) for t, n in zip(layers[:, memory.TARGETS], chain, strict=True)]
        phases = max(int(targets) * picture for targets, picture in strided)
        work = int((layers[:, memory.COUNT] + layers[:, memory.BEHIND]).max())
        blocks = _filled(examples, bands.LANES) // bands.LANES
        start = self._front + back + 2 * phases
        widest = int(layers[:, [memory.CHANNELS, memory.TARGETS]].max())
        channels = self.parameters.running.shape[1]
        return Album(
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
            floats(memory.NORM_ROWS * channels),
            np.zeros(2 * channels),
            floats(bands.ROW_LANES),
            floats(2 * bands.LANES),
        )

    def _spectra(self) -> Spectra:
        """Returns room for the nodes of which all weights are multiplied."""
        dense = [
            place.node
            for place, layer in zip(self._places, self.parameters.layers, strict=True)
            if layer[memory.DENSE]
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
            for row, name in zip(self.parameters.running, MOMENTS, strict=True):
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
            for row, name in zip(self.parameters.running, MOMENTS, strict=True):
                own = row[place.moments : place.moments + channels].copy()
                found[f"{place.node.norm}.{name}"] = torch.from_numpy(own)
        return found


def _passed(chain: Sequence[Node], number: int) -> int:
    """Returns the node to whose result the input of a block's first node is added."""
    source = chain[number].source
    if source == NONE or chain[number].shortcut:
        return NONE
    adding = (k for k, node in enumerate(chain) if k > number and node.added == source)
    return next(adding, NONE)


def _is_dense(node: Node, share: float) -> bool:
    """Returns whether all of a node's weights are multiplied where this share of them survives."""
    fewest = min(node.sources, node.channels)
    fits = (node.edge, node.stride) == (3, 1)
    return fits and any(fewest >= least and share > bar for least, bar in WINOGRAD_SHARES)


def _filters(node: Node) -> int:
    """Returns the size of the spectra of a node's weights, forward or back."""
    return 16 * _filled(node.sources, 2) * _filled(node.channels, 2)


def _filled(count: int, to: int) -> int:
    return -(-count // to) * to


def _filled_size(node: Node) -> tuple[int, int]:
    return _filled(node.height, 4), _filled(node.width, bands.BAND_COLUMNS)


def _picture(node: Node) -> int:
    """Returns the size of a channel of a map, with its margin."""
    rows, columns = _filled_size(node)
    return (rows + 2) * (columns + 2) * bands.LANES
