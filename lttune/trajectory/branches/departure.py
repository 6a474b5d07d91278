"""What a branch trains, and the plainest way to say it."""

from __future__ import annotations

from dataclasses import dataclass

from lttune.config import LotteryConfig, TrainConfig
from lttune.models.masks import Mask, Weights
from lttune.trajectory.starts import RELEASED, Junction, start_weights, training_of
from lttune.trajectory.task import Ticket


@dataclass(frozen=True, kw_only=True)
class Departure:
    """What a branch trains."""

    mask: Mask
    start: Weights
    """The weights at ``first_step``; those outside the mask are held, unless ``pruned`` is
    "trainable"."""
    train: TrainConfig
    first_step: int
    pruned: str | None = None
    """What weights outside the mask hold, a value of ``pruned``; None is what the trunk's do."""
    order: str = "order"
    """Stream of the data order; another name gives another order than the trunk's."""
    config: LotteryConfig | None = None
    """The configuration whose examples it learns from, if not the trunk's."""


def ticket_of(leaving: Departure, config: LotteryConfig) -> Ticket:
    """Returns what a branch of a trunk trains; ``config`` is the trunk's."""
    pruned = config.pruned if leaving.pruned is None else leaving.pruned
    return Ticket(mask=leaving.mask, start=leaving.start, released=pruned == RELEASED)


def departure(at: Junction, kept: str) -> Departure:
    """Returns the junction's mask with survivors that start as ``kept`` says."""
    train, first_step = training_of(at.config, kept)
    weights = start_weights(at, kept, at.config.pruned)
    return Departure(mask=at.mask, start=weights, train=train, first_step=first_step)
