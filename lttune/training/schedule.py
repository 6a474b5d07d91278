"""What happens at which step: the learning rate, the batch, the evaluations."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from lttune.config import TrainConfig


def rate(config: TrainConfig, step: int) -> float:
    """Returns the learning rate of a step, counted from 0.

    Linear warmup, times ``decay`` for each milestone that is reached.
    """
    lr = config.lr
    for milestone in config.milestones:
        lr = lr * config.decay if step >= milestone else lr
    if step < config.warmup_steps:
        lr = lr * (step + 1) / config.warmup_steps
    return lr


def batches(indices: np.ndarray, size: int, rng: np.random.Generator) -> Iterator[Tensor]:
    """Yields batches of indices for ever; every epoch is a new order, its last batch the rest."""
    while True:
        order = torch.from_numpy(rng.permutation(indices))
        yield from order.split(size)


def evaluation_steps(config: TrainConfig, first_step: int) -> list[int]:
    """Returns the steps after which the network is measured: the first, the cadence, the last."""
    every = config.eval_every
    regular = range(first_step // every * every + every, config.steps, every)
    return [first_step, *regular, config.steps]
