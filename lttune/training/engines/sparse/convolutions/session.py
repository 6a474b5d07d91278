"""One masked network with convolutions in training by the sparse kernels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from lttune.config import ModelConfig, TrainConfig
from lttune.data.resident import Examples
from lttune.models import Network, build
from lttune.models.masks import Mask, ones
from lttune.training.engines.sparse.convolutions import program
from lttune.training.engines.sparse.convolutions.pictures_session import PictureSession
from lttune.training.engines.sparse.convolutions.plan import ConvolutionPlan
from lttune.training.engines.sparse.network import Stage, stages
from lttune.training.engines.sparse.pixels import PixelLists


class ConvolutionSession(PictureSession):
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
        front = ConvolutionPlan(network, chain, mask)
        super().__init__(program, front, network, chain, start, mask, config, pixels)


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
