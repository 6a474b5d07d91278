"""A trajectory as every loop of the benchmark walks it: train, prune, rewind, and again.

What lies between two levels is the same code for all of them. A level of ``steps`` steps is an
epoch over as many batches, another part of the training set each time: drawing its order costs per
step what it costs in a long training.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from lttune.config import ModelConfig
from lttune.config.presets import LENET_300_100
from lttune.config.seeding import stream
from lttune.data.dataset import Dataset, split
from lttune.models import Network, build
from lttune.models.masks import Weights, apply, ones
from lttune.pruning.criteria import evidence_of
from lttune.pruning.rule import prune
from lttune.trajectory.task import Ticket

LEVELS = 21
BATCH_SIZE = LENET_300_100.train.batch_size
LR = LENET_300_100.train.lr
EVAL_EVERY = 100
"""Steps between two evaluations of 5,000 validation and 10,000 test examples; one comes first."""


@dataclass(frozen=True, kw_only=True)
class Timed:
    """What the training of one level took, in wall seconds."""

    steps_s: float
    """All steps together."""
    evaluation_s: float
    """One evaluation, the mean of them."""
    weights: Weights
    """After the last step."""


class Loop(Protocol):
    """A way to train one network."""

    def level(self, ticket: Ticket, train_on: np.ndarray, steps: int) -> Timed:
        """Trains a ticket on the examples at ``train_on`` (int64) for a number of steps."""
        ...


@dataclass(frozen=True)
class Workload:
    """The examples and the network of all loops."""

    dataset: Dataset

    @cached_property
    def network(self) -> Network:
        """LeNet-300-100, unless the examples have another shape."""
        return build(ModelConfig(), self.dataset.shape, self.dataset.classes)

    @cached_property
    def indices(self) -> tuple[np.ndarray, np.ndarray]:
        """Training and validation examples."""
        return split(self.dataset, None, seed=0, replicate=0)

    @property
    def scaling(self) -> tuple[float, float]:
        """Mean and standard deviation of a grey pixel."""
        mean, std = self.dataset.mean, self.dataset.std
        assert isinstance(mean, float)
        assert isinstance(std, float)
        return mean, std

    def part(self, level: int, steps: int) -> np.ndarray:
        """Returns the training examples of a level."""
        count = steps * BATCH_SIZE
        order = stream(0, 0, "order").permutation(self.indices[0])
        return np.roll(order, -level * count)[:count]

    def dense(self) -> Ticket:
        """Returns the ticket of level 0."""
        initial = self.network.initial_weights(stream(0, 0, "init"))
        return Ticket(mask=ones(initial, self.network.prunable), start=initial)


@dataclass(frozen=True, kw_only=True)
class Walked:
    """What a trajectory took."""

    wall_s: float
    between_s: float
    """Of these, pruning and rewinding."""
    levels: list[Timed]
    tickets: list[Ticket]


def walk(loop: Loop, workload: Workload, steps: int, levels: int = LEVELS) -> Walked:
    """Walks a trajectory of so many levels with a loop."""
    parts = [workload.part(level, steps) for level in range(levels)]
    ticket = dense = workload.dense()
    timed, tickets = list[Timed](), list[Ticket]()
    began, between_s = time.perf_counter(), 0.0
    for level, part in enumerate(parts):
        ended = time.perf_counter()
        if level > 0:
            weights = timed[-1].weights
            evidence = evidence_of(weights, ticket.mask, workload.network)
            mask = prune(evidence, LENET_300_100.prune)
            ticket = Ticket(mask=mask, start=apply(dense.start, mask))
        between_s += time.perf_counter() - ended
        timed.append(loop.level(ticket, part, steps))
        tickets.append(ticket)
    wall_s = time.perf_counter() - began
    return Walked(wall_s=wall_s, between_s=between_s, levels=timed, tickets=tickets)
