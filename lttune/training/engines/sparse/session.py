"""One masked network in training by the sparse kernels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from lttune.config import TrainConfig
from lttune.data.resident import Examples
from lttune.models import Network
from lttune.models.masks import Mask
from lttune.training.engines.sparse.kernels import program
from lttune.training.engines.sparse.kernels.optimizers import RULE_KINDS
from lttune.training.engines.sparse.memory import Scratch, scratch
from lttune.training.engines.sparse.pixels import PixelLists
from lttune.training.engines.sparse.plan import Plan

CHUNK = 128
"""Examples a forward pass of an evaluation takes."""


class SparseSession:
    """One masked network in training: its weights and a fresh optimizer."""

    def __init__(
        self,
        network: Network,
        start: Mapping[str, Tensor],
        mask: Mask,
        config: TrainConfig,
        pixels: PixelLists,
    ) -> None:
        self._plan = Plan(network, mask)
        self._plan.write(start)
        self._config, self._pixels, self._done = config, pixels, 0
        self._room: Scratch = scratch(self._plan.units, CHUNK)
        self._capacity = CHUNK

    def run(self, examples: Examples, batches: Sequence[Tensor], rates: Sequence[float]) -> None:
        """Takes one optimizer step for each batch of indices (int64, [B]) at its learning rate."""
        if len(batches) != len(rates):
            raise ValueError(f"rates must be one a batch: {len(rates)} for {len(batches)} batches")
        if not batches:
            return
        sizes = [len(index) for index in batches]
        if max(sizes) > self._capacity:
            self._room, self._capacity = scratch(self._plan.units, max(sizes)), max(sizes)
        indices = torch.cat(list(batches)).numpy()
        if indices.min() < 0 or indices.max() >= len(examples):
            raise IndexError(f"a batch points outside of the {len(examples)} examples")
        program.train(
            self._plan.parameters,
            self._room,
            self._pixels.of(examples, self._plan.units[-1]),
            indices,
            np.concatenate([[0], np.cumsum(sizes)]),
            np.array(rates, np.float64),
            self._done,
            RULE_KINDS[self._config.optimizer],
            float(self._config.weight_decay),
            float(self._config.momentum),
        )
        self._done += len(sizes)

    def evaluate(self, examples: Examples) -> tuple[float, float]:
        """Returns the mean cross-entropy (nats) and the accuracy (in [0, 1])."""
        count = len(examples)
        loss, right = program.evaluate(
            self._plan.parameters,
            self._room,
            self._pixels.of(examples, self._plan.units[-1]),
            np.arange(count),
            CHUNK,
        )
        return loss / count, right / count

    def weights(self) -> dict[str, Tensor]:
        """Returns a copy of all weights, pruned ones exactly zero."""
        return self._plan.read()

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Replaces the weights, to evaluate a snapshot."""
        self._plan.write(weights)
