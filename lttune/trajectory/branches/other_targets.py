"""Tickets taken to other data or another training: Morcos et al. (2019), Mehta (2019).

The target's training runs its whole schedule, also of a ticket that was rewound to a later step.
"""

from __future__ import annotations

import dataclasses

from lttune.trajectory.branches.departure import Departure, departure
from lttune.trajectory.branches.other_masks import random_mask
from lttune.trajectory.starts import Junction


def transfer(at: Junction) -> Departure:
    """The ticket itself."""
    return _taken(at, Departure(mask=at.mask, start=at.start, train=at.train, first_step=0))


def transfer_random(at: Junction) -> Departure:
    """A random mask of the ticket's density in each layer, with newly drawn weights."""
    return _taken(at, random_mask(at))


def transfer_reinit(at: Junction) -> Departure:
    """The ticket's mask with newly drawn weights."""
    return _taken(at, departure(at, "reinit"))


def _taken(at: Junction, leaving: Departure) -> Departure:
    """Returns the departure to the target's examples and training."""
    target, source = at.config.target, at.config
    train = target.training(source.train)
    config = source.trained_by(train, data=target.dataset(source.data))
    return dataclasses.replace(leaving, config=config, train=train, first_step=0)
