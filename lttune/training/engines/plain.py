"""What the sparse and the stacked engine can train: plain steps of fully connected networks."""

from __future__ import annotations

import dataclasses

import torch
from torch import nn

from lttune.config import TrainConfig
from lttune.models import Network
from lttune.training.engines.needs import Needs

PLAIN_RULES = ("sgd", "momentum", "adam", "adamw")
"""Their update rules."""

NETWORKS = "trains fully connected networks only, without dropout, all layers prunable"
"""What they say of a network that is not fully connected."""


def fully_connected(network: Network) -> bool:
    """Returns whether a network is flatten, linear, and then any number of ReLU, linear.

    Every linear layer must have biases and be prunable. To ask takes a millisecond.
    """
    with torch.device("meta"):
        module = network.make()
    if not isinstance(module, nn.Sequential):
        return False
    parts = list(module)
    kinds = [nn.Flatten, nn.Linear, *[nn.ReLU, nn.Linear] * ((len(parts) - 2) // 2)]
    linear = [name for name, part in module.named_modules() if isinstance(part, nn.Linear)]
    biased = all(part.bias is not None for part in parts if isinstance(part, nn.Linear))
    alike = len(parts) == len(kinds) and all(map(isinstance, parts, kinds))
    return alike and biased and linear == list(network.kinds)


def beyond(config: TrainConfig) -> str:
    """Returns what of a training only the torch engine can do, as a predicate, "" if nothing."""
    if config.optimizer not in PLAIN_RULES:
        return f"has no {config.optimizer}"
    if config.precision != "float32":
        return f"computes in float32 only, not in {config.precision}"
    if config.frozen:
        return "trains every kind of parameter"
    return ""


def lack(needs: Needs) -> str:
    """Returns what of a study only the torch engine can do, as a predicate, "" if nothing."""
    if not all(map(fully_connected, needs.networks)):
        return NETWORKS
    for config in needs.configs:
        rule = config.target.optimizer or config.train.optimizer
        transferred = dataclasses.replace(config.train, optimizer=rule)
        if reason := beyond(config.train) or beyond(transferred):
            return reason
        if config.data.augment != "none":
            return "does not augment pictures"
        if config.pruned != "zero" or needs.holds:
            return "holds pruned weights at zero only"
        if config.method != "prune":
            return "learns no supermasks"
    return ""
