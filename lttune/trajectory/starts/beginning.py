"""The weights that a level's training begins with, and how it goes on from there."""

from __future__ import annotations

from lttune.config import LotteryConfig, TrainConfig
from lttune.errors import unknown
from lttune.models.masks import Weights, mixed
from lttune.training.schedule import held_at_last
from lttune.trajectory.starts.junction import Junction
from lttune.trajectory.starts.kept import STARTS, TRAINED_ON, rescaled
from lttune.trajectory.starts.pruned import HOLDS


def start_weights(at: Junction, kept: str, pruned: str) -> Weights:
    """Returns the weights that training starts from, those that it holds fixed included."""
    weights = STARTS[kept](at)
    if at.config.rescale and kept not in TRAINED_ON:
        weights = rescaled(at, weights)
    return holding(at, weights, pruned)


def holding(at: Junction, weights: Weights, pruned: str) -> Weights:
    """Returns copies of the weights in which those outside the mask are what ``pruned`` says."""
    held = HOLDS[pruned](at)
    return {
        name: mixed(at.mask[name], value, held[name]) if name in at.mask else value.clone()
        for name, value in weights.items()
    }


def training_of(config: LotteryConfig, kept: str) -> tuple[TrainConfig, int]:
    """Returns how a level above 0 is trained, and from which step of the schedule on.

    ``continue`` trains all steps at the last learning rate of the schedule; all others enter the
    schedule at ``rewind_step``.

    Raises:
        ConfigError: if ``kept`` is no name of ``STARTS``.
    """
    if kept not in STARTS:
        raise unknown("kept", kept, STARTS)
    train = config.train
    if kept != "continue":
        return train, config.rewind_step
    return held_at_last(train), 0
