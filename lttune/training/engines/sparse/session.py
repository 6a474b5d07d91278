"""One masked network in training by the sparse kernels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

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


class Order(NamedTuple):
    """The examples of many steps, as the compiled entries read them."""

    indices: np.ndarray
    """int64: of all batches, one after the other."""
    starts: np.ndarray
    """int64: where each batch begins, and the last one ends."""
    rates: np.ndarray
    """float64: each step's learning rate."""
    largest: int
    """Examples of the largest batch."""


def ordered(examples: Examples, batches: Sequence[Tensor], rates: Sequence[float]) -> Order:
    """Returns batches of indices (int64, [B]) and their learning rates.

    Raises:
        ValueError: if they are not as many.
        IndexError: if an index is of no example.
    """
    if len(batches) != len(rates):
        raise ValueError(f"rates must be one a batch: {len(rates)} for {len(batches)} batches")
    sizes = [len(index) for index in batches]
    indices = torch.cat([torch.zeros(0, dtype=torch.int64), *batches]).numpy()
    if len(indices) and (indices.min() < 0 or indices.max() >= len(examples)):
        raise IndexError(f"a batch points outside of the {len(examples)} examples")
    starts = np.cumsum([0, *sizes])
    return Order(indices, starts, np.array(rates, np.float64), max(sizes, default=0))


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
        order = ordered(examples, batches, rates)
        if not batches:
            return
        if order.largest > self._capacity:
            self._room = scratch(self._plan.units, order.largest)
            self._capacity = order.largest
        program.train(
            self._plan.parameters,
            self._room,
            self._pixels.of(examples, self._plan.units[-1]),
            order.indices,
            order.starts,
            order.rates,
            self._done,
            RULE_KINDS[self._config.optimizer],
            float(self._config.weight_decay),
            float(self._config.momentum),
        )
        self._done += len(batches)

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
