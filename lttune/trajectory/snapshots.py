"""Which steps of a training are kept, and what the next pruning looks at."""

from __future__ import annotations

from lttune.config import LotteryConfig
from lttune.models import Network
from lttune.models.masks import Weights
from lttune.store.store import Stored
from lttune.trajectory.connectivity import weights_between
from lttune.trajectory.task import REWIND, SCORED, weights_of


def snapshot_steps(config: LotteryConfig, level: int) -> dict[str, int]:
    """Returns which steps of a level's training are kept, by the group of tensors in its cell."""
    step = config.prune.step
    found = {} if step is None else {SCORED: step}
    return found | ({REWIND: config.rewind_step} if config.rewind_step and level == 0 else {})


def scored_weights(
    config: LotteryConfig, initial: Weights, trained: Weights, stored: Stored, network: Network
) -> Weights:
    """Returns what the next pruning looks at: the trained weights, or what it is told to see."""
    prune = config.prune
    seen = trained if prune.step is None else weights_of(stored.cell, network, SCORED)
    return seen if prune.share == 1 else weights_between(initial, seen, prune.share)
