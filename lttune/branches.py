"""Branches: controls that leave the trunk at a level, each a function of its ticket.

A branch trains with the trunk's data order of that level, so that ticket and control are paired.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from lttune.masks import Mask, Weights, apply
from lttune.models import Network

Branch = Callable[[Mask, Weights, Network, np.random.Generator], tuple[Mask, Weights]]
"""(mask, start weights, network, stream) of the ticket -> (mask, start weights) of the control."""


def reinit(
    mask: Mask, start: Weights, network: Network, rng: np.random.Generator
) -> tuple[Mask, Weights]:
    """The ticket's mask with newly drawn weights: Frankle & Carbin (2019), sections 2 and 3."""
    return mask, apply(network.initial_weights(rng), mask)


def random_mask(
    mask: Mask, start: Weights, network: Network, rng: np.random.Generator
) -> tuple[Mask, Weights]:
    """As many survivors in each layer at random places, with newly drawn weights (Figure 1).

    The weights are new because a ticket's own are zero outside its mask.
    """
    moved = {
        name: torch.from_numpy(rng.permutation(keep.numpy().ravel())).view_as(keep)
        for name, keep in mask.items()
    }
    return moved, apply(network.initial_weights(rng), moved)


BRANCHES: dict[str, Branch] = {"reinit": reinit, "random": random_mask}
