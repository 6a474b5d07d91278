"""One masked residual network in training by the sparse kernels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from lttune.config import ModelConfig, TrainConfig
from lttune.data.resident import Examples
from lttune.models import Network, build
from lttune.models.masks import Mask, ones
from lttune.training.engines.sparse.blocks import BlockNode, nodes
from lttune.training.engines.sparse.convolutions.gallery import gallery
from lttune.training.engines.sparse.convolutions.memory import Gallery
from lttune.training.engines.sparse.kernels.optimizers import RULE_KINDS
from lttune.training.engines.sparse.memory import scratch
from lttune.training.engines.sparse.pixels import PixelLists
from lttune.training.engines.sparse.plan import Plan
from lttune.training.engines.sparse.residual import program
from lttune.training.engines.sparse.residual.plan import ResidualPlan
from lttune.training.engines.sparse.session import ordered

CHUNK = 64
"""Examples a forward pass of an evaluation takes."""


class ResidualSession:
    """One masked network in training: its weights, running moments and a fresh optimizer."""

    def __init__(
        self,
        network: Network,
        chain: Sequence[BlockNode],
        start: Mapping[str, Tensor],
        mask: Mask,
        config: TrainConfig,
        pixels: PixelLists,
    ) -> None:
        self._front = ResidualPlan(network, chain, mask)
        self._plan = Plan(network, mask, front=len(chain))
        self.load(start)
        self._names = [*network.shapes, *network.buffers]
        self._config, self._pixels, self._done = config, pixels, 0
        self._shape = chain[0].sources, chain[0].height, chain[0].width
        self._smallest = min(node.height * node.width for node in chain)
        self._reserve(CHUNK)

    def run(self, examples: Examples, batches: Sequence[Tensor], rates: Sequence[float]) -> None:
        """Takes one optimizer step for each batch of indices (int64, [B]) at its learning rate.

        Raises:
            ValueError: if a batch has but one value a channel, which has no variance.
        """
        order = ordered(examples, batches, rates)
        if not batches:
            return
        if min(len(index) for index in batches) * self._smallest == 1:
            raise ValueError("batch norm must have more than 1 value a channel when training")
        if order.largest > self._capacity:
            self._reserve(order.largest)
        rule = RULE_KINDS[self._config.optimizer]
        program.train(
            self._front.parameters,
            self._album,
            self._plan.parameters,
            self._room,
            self._gallery(examples),
            order.indices,
            order.starts,
            order.rates,
            self._done,
            (rule, float(self._config.weight_decay), float(self._config.momentum)),
        )
        self._done += len(batches)

    def evaluate(self, examples: Examples) -> tuple[float, float]:
        """Returns the mean cross-entropy (nats) and the accuracy (in [0, 1])."""
        count = len(examples)
        loss, right = program.evaluate(
            self._front.parameters,
            self._album,
            self._plan.parameters,
            self._room,
            self._gallery(examples),
            np.arange(count),
            CHUNK,
        )
        return loss / count, right / count

    def weights(self) -> dict[str, Tensor]:
        """Returns a copy of all weights and running moments, pruned weights exactly zero."""
        found = self._front.read() | self._plan.read()
        return {name: found[name] for name in self._names}

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Replaces the weights and running moments, to evaluate a snapshot."""
        self._front.write(weights)
        self._plan.write(weights)

    def _reserve(self, examples: int) -> None:
        self._album = self._front.album(examples)
        self._room = scratch(self._plan.units, examples)
        self._capacity = examples

    def _gallery(self, examples: Examples) -> Gallery:
        return gallery(examples, self._shape, self._pixels, self._plan.units[-1])


def compile_kernels() -> None:
    """Compiles the kernels, or loads them from numba's cache; see ``engine.compile_kernels``."""
    network = build(ModelConfig(name="resnet-20-1"), (4, 4), 2)
    start = {name: torch.zeros(shape) for name, shape in network.shapes.items()}
    start |= {name: torch.ones(shape) for name, shape in network.buffers.items()}
    mask, config = ones(start, network.prunable), TrainConfig()
    pictures, classes = torch.zeros(2, 4, 4, dtype=torch.uint8), torch.zeros(2, dtype=torch.int64)
    examples = Examples(pictures, classes, 0.0, 1.0)
    session = ResidualSession(network, nodes(network), start, mask, config, PixelLists())
    session.run(examples, [torch.arange(2)], [config.lr])
    session.evaluate(examples)
