"""One masked network whose first layers read pictures, in training by the sparse kernels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from torch import Tensor

from lttune.config import TrainConfig
from lttune.data.resident import Examples
from lttune.models import Network
from lttune.models.masks import Mask
from lttune.training.engines.sparse.blocks import BlockNode
from lttune.training.engines.sparse.convolutions.gallery import gallery
from lttune.training.engines.sparse.convolutions.memory import Gallery
from lttune.training.engines.sparse.kernels.optimizers import RULE_KINDS
from lttune.training.engines.sparse.memory import scratch
from lttune.training.engines.sparse.network import Stage
from lttune.training.engines.sparse.pixels import PixelLists
from lttune.training.engines.sparse.plan import Plan
from lttune.training.engines.sparse.session import ordered

CHUNK = 64
"""Examples a forward pass of an evaluation takes."""


class PicturePlan(Protocol):
    """The parameters of the layers that read pictures, as their kernels have them."""

    @property
    def parameters(self) -> Any:
        """Returns the arrays that the kernels work on."""
        ...

    def album(self, examples: int) -> Any:
        """Returns room for a batch of so many examples."""
        ...

    def read(self) -> dict[str, Tensor]:
        """Returns a copy of all weights, pruned ones exactly zero."""
        ...

    def write(self, weights: Mapping[str, Tensor]) -> None:
        """Replaces the weights."""
        ...


class PictureSession:
    """A session whose network has layers that read pictures in front of linear ones.

    Args:
        program: the module with the entries ``train`` and ``evaluate`` of these layers.
        front: their plan.
        network: the network.
        chain: these layers in order.
        start: the weights to begin with.
        mask: of the network.
        config: how it is trained.
        pixels: of datasets that were read before.
    """

    def __init__(
        self,
        program: Any,
        front: PicturePlan,
        network: Network,
        chain: Sequence[Stage] | Sequence[BlockNode],
        start: Mapping[str, Tensor],
        mask: Mask,
        config: TrainConfig,
        pixels: PixelLists,
    ) -> None:
        self._program, self._front = program, front
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
        self._program.train(
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
        loss, right = self._program.evaluate(
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
