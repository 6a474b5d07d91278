"""One masked residual network in training by the sparse kernels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from lttune.config import ModelConfig, TrainConfig
from lttune.data.resident import Examples
from lttune.models import Network, build
from lttune.models.masks import Mask, ones
from lttune.training.engines.sparse.blocks import BlockNode, nodes
from lttune.training.engines.sparse.convolutions.pictures_session import PictureSession
from lttune.training.engines.sparse.pixels import PixelLists
from lttune.training.engines.sparse.residual import program
from lttune.training.engines.sparse.residual.plan import ResidualPlan


class ResidualSession(PictureSession):
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
        front = ResidualPlan(network, chain, mask)
        super().__init__(program, front, network, chain, start, mask, config, pixels)
        self._names = [*network.shapes, *network.buffers]
        self._smallest = min(node.height * node.width for node in chain)

    def run(self, examples: Examples, batches: Sequence[Tensor], rates: Sequence[float]) -> None:
        """Takes one optimizer step for each batch of indices (int64, [B]) at its learning rate.

        Raises:
            ValueError: if a batch has but one value a channel, which has no variance.
        """
        if batches and min(len(index) for index in batches) * self._smallest == 1:
            raise ValueError("batch norm must have more than 1 value a channel when training")
        super().run(examples, batches, rates)

    def weights(self) -> dict[str, Tensor]:
        """Returns a copy of all weights and running moments, pruned weights exactly zero."""
        found = super().weights()
        return {name: found[name] for name in self._names}


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
