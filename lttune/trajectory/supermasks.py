"""A trajectory whose second network is a mask, learned on untrained weights (Zhou et al. 2019).

Level 0 is the dense training, as everywhere. Level 1 leaves the weights at their initial values and
trains the mask; its ticket keeps the weights that are more likely in the network than not. Its
accuracies are those of masks drawn with the learned probabilities, or with ``supermask.round`` of
that ticket.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import Tensor

from lttune.config import LotteryConfig, TrainConfig
from lttune.models import Network
from lttune.models.masks import Mask, Weights
from lttune.store.store import Stored
from lttune.trajectory.task import weights_of

LOGIT_MOMENTUM = 0.9


def training(config: LotteryConfig) -> TrainConfig:
    """Returns how the logits are trained: by SGD with momentum, at a rate of their own."""
    return dataclasses.replace(
        config.train,
        optimizer="momentum",
        momentum=LOGIT_MOMENTUM,
        lr=config.supermask.lr,
        weight_decay=0.0,
        frozen=(),
    )


def fixed_weights(config: LotteryConfig, initial: Weights, names: list[str]) -> Weights:
    """Returns the weights that stay: the initial ones, or their signs times the deviation."""
    if not config.supermask.signed_constant:
        return initial

    def constant(value: Tensor) -> Tensor:
        return value.sign() * value.std(correction=0)

    return {n: constant(v) if n in names else v for n, v in initial.items()}


def identity(config: LotteryConfig, network: Network, dense: Stored) -> dict[str, Any]:
    """Returns the inputs of the learned mask's cell."""
    settings = dataclasses.asdict(config.supermask)
    if not config.supermask.round:
        del settings["round"]  # Masks that are drawn have the keys from before there were others.
    return {
        "trunk": dense.key,
        "supermask": settings,
        "prunable": network.prunable,
    }


def learned(stored: Stored, network: Network) -> Mask:
    """Returns which weights are more likely in the network than not."""
    logits = weights_of(stored.cell, network)
    return {name: torch.sigmoid(logits[name]) > 0.5 for name in network.prunable}
