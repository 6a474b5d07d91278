"""Branches: controls that leave the trunk at a level, each a function of where they leave it.

A branch trains with the trunk's data order of that level unless it says otherwise, so that ticket
and control are paired.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from lttune.config import LotteryConfig, TrainConfig
from lttune.masks import Mask, Weights
from lttune.starts import Junction, course, start


@dataclass(frozen=True, kw_only=True)
class Departure:
    """What a branch trains."""

    mask: Mask
    start: Weights
    """The weights at ``first_step``; those outside the mask are held."""
    train: TrainConfig
    first_step: int
    order: str = "order"
    """Stream of the data order; another name gives another order than the trunk's."""
    config: LotteryConfig | None = None
    """The configuration whose examples it learns from, if not the trunk's."""
    identity: dict[str, Any] = field(default_factory=dict)
    """What its bytes depend on beside the trunk's cell and the branch's name."""


Branch = Callable[[Junction], Departure]


def _departure(at: Junction, kept: str) -> Departure:
    train, first_step = course(at.config, kept)
    weights = start(at, kept, at.config.pruned)
    return Departure(mask=at.mask, start=weights, train=train, first_step=first_step)


def reinit(at: Junction) -> Departure:
    """The ticket's mask with newly drawn weights: Frankle & Carbin (2019), sections 2 and 3."""
    return _departure(at, "reinit")


def random_mask(at: Junction) -> Departure:
    """As many survivors in each layer at random places, with newly drawn weights (Figure 1).

    The weights are new because this is the paper's control of both; ``shuffle`` keeps them.
    """
    return reinit(dataclasses.replace(at, mask=shuffled(at.mask, at.rng)))


def shuffled(mask: Mask, rng: np.random.Generator) -> Mask:
    """Returns a mask with as many survivors in each tensor, at random places."""
    return {
        name: torch.from_numpy(rng.permutation(keep.numpy().ravel())).view_as(keep)
        for name, keep in mask.items()
    }


BRANCHES: dict[str, Branch] = {"reinit": reinit, "random": random_mask}
"""Name of a control -> what it trains."""

HOLDING: frozenset[str] = frozenset()
"""Controls that hold pruned weights at a value other than zero, which few engines can."""
