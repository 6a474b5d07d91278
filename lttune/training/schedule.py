"""What happens at which step: the learning rate, the batch, the evaluations."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from lttune.config import TrainConfig
from lttune.config.own import is_own_code
from lttune.errors import quoted
from lttune.records.own import known_part, number_given

SCHEDULE = "train.schedule"
"""The setting that names schedules."""


def by_milestones(config: TrainConfig, step: int) -> float:
    """Linear warmup, times ``decay`` for each milestone that is reached."""
    lr = config.lr
    for milestone in config.milestones:
        lr = lr * config.decay if step >= milestone else lr
    if step < config.warmup_steps:
        lr = lr * (step + 1) / config.warmup_steps
    return lr


def by_cosine(config: TrainConfig, step: int) -> float:
    """Linear warmup, then half a cosine from ``lr`` to 0 at the end of training."""
    warm = config.warmup_steps
    if step < warm:
        return config.lr * (step + 1) / warm
    return config.lr * (1 + math.cos(math.pi * (step - warm) / (config.steps - warm))) / 2


SCHEDULES: dict[str, Callable[[TrainConfig, int], float]] = {
    "milestones": by_milestones,
    "cosine": by_cosine,
}
"""Name -> the learning rate of a step, counted from 0."""


def rate(config: TrainConfig, step: int) -> float:
    """Returns the learning rate of a step, counted from 0.

    Raises:
        ConfigError: if a schedule of one's own gives none.
        StorageError: if its code is not here.
    """
    # Asked for at every step.
    if plain := SCHEDULES.get(config.schedule):
        return plain(config, step)
    part = known_part(SCHEDULE, config.schedule)
    found = part.called(config, step, given=": `lttune transfer` has --schedule")
    value = number_given(found)
    if not 0 <= value < math.inf:
        part.refuse(f"must return a finite number >= 0 at step {step}, got {quoted(found)}")
    return value


def held_at_last(config: TrainConfig) -> TrainConfig:
    """Returns the training at the last learning rate of its schedule, from its first step on.

    Who reads a study with a schedule of one's own trains nothing: there it stays as it is.

    Raises:
        ConfigError: if that rate is 0.
    """
    is_own = is_own_code(config.schedule)
    if is_own and not known_part(SCHEDULE, config.schedule).is_here:
        return config
    last = rate(config, config.steps - 1)
    plain = {"schedule": "milestones", "warmup_steps": 0, "milestones": ()}
    return dataclasses.replace(config, lr=last, **plain)


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
