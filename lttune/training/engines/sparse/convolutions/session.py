"""One masked network with convolutions in training by the sparse kernels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from lttune.config import ModelConfig, TrainConfig
from lttune.data.resident import Examples
from lttune.models import Network, build
from lttune.models.masks import Mask, ones
from lttune.training.engines.sparse.convolutions import program
from lttune.training.engines.sparse.convolutions.gallery import gallery
from lttune.training.engines.sparse.convolutions.memory import Gallery
from lttune.training.engines.sparse.convolutions.plan import ConvolutionPlan
from lttune.training.engines.sparse.kernels.optimizers import RULE_KINDS
from lttune.training.engines.sparse.memory import scratch
from lttune.training.engines.sparse.network import Stage, stages
from lttune.training.engines.sparse.pixels import PixelLists
from lttune.training.engines.sparse.plan import Plan
from lttune.training.engines.sparse.session import ordered

CHUNK = 64
"""Examples a forward pass of an evaluation takes."""


class ConvolutionSession:
    """One masked network in training: its weights and a fresh optimizer."""

    def __init__(
        self,
        network: Network,
        chain: Sequence[Stage],
        start: Mapping[str, Tensor],
        mask: Mask,
        config: TrainConfig,
        pixels: PixelLists,
    ) -> None:
        self._front = ConvolutionPlan(network, chain, mask)
        self._plan = Plan(network, mask, front=len(chain))
        self.load(start)
        self._config, self._pixels, self._done = config, pixels, 0
        self._shape = chain[0].sources, chain[0].height, chain[0].width
        self._reserve(CHUNK)

    def run(self, examples: Examples, batches: Sequence[Tensor], rates: Sequence[float]) -> None:
        """Takes one optimizer step for each batch of indices (int64, [B]) at its learning rate."""
        order = ordered(examples, batches, rates)
        if not batches:
            return
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
        """Returns a copy of all weights, pruned ones exactly zero."""
        return self._front.read() | self._plan.read()

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Replaces the weights, to evaluate a snapshot."""
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
    network = build(ModelConfig(name="conv-2"), (4, 4), 2)
    start = {name: torch.zeros(shape) for name, shape in network.shapes.items()}
    mask, config = ones(start, network.prunable), TrainConfig()
    pictures, classes = torch.zeros(1, 4, 4, dtype=torch.uint8), torch.zeros(1, dtype=torch.int64)
    examples = Examples(pictures, classes, 0.0, 1.0)
    session = ConvolutionSession(network, stages(network), start, mask, config, PixelLists())
    session.run(examples, [torch.zeros(1, dtype=torch.int64)], [config.lr])
    session.evaluate(examples)
