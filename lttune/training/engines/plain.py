"""What the sparse and the stacked engine can train: plain steps of fully connected networks."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from torch import nn

from lttune.config import TrainConfig
from lttune.models import Network
from lttune.models.layers import Output
from lttune.training.engines.needs import Needs

PLAIN_RULES = ("sgd", "momentum", "adam", "adamw")
"""Their update rules."""

NETWORKS = "trains fully connected networks only, without dropout, all layers prunable"
"""What they say of a network that is not fully connected."""


def fully_connected(network: Network) -> bool:
    """Returns whether a network is flatten, linear, and then any number of ReLU, linear.

    Every linear layer must have biases and be prunable. To ask takes a millisecond.
    """
    module = network.opened("meta")
    # What is derived from these types may compute anything.
    if type(module) is not nn.Sequential:
        return False
    parts = list(module)
    kinds = [nn.Flatten, nn.Linear, *[nn.ReLU, nn.Linear] * ((len(parts) - 2) // 2)]
    linear = [part for part in parts if isinstance(part, nn.Linear)]
    biased = all(part.bias is not None for part in linear)
    types = [nn.Linear if type(part) is Output else type(part) for part in parts]
    names = {part: name for name, part in module.named_modules()}
    return (
        types == kinds
        and biased
        and [names[part] for part in linear] == list(network.kinds)
        and _computes_plainly(parts)
    )


def _computes_plainly(parts: Sequence[nn.Module]) -> bool:
    """Returns whether no part is called in another way than its type says, nor twice."""
    hooked = any(part._forward_hooks or part._forward_pre_hooks for part in parts)
    flat = isinstance(parts[0], nn.Flatten) and (parts[0].start_dim, parts[0].end_dim) == (1, -1)
    return flat and not hooked and len(set(parts)) == len(parts)


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
