"""What the sparse and the stacked engine can train: plain steps of fully connected networks."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from torch import nn

from lttune.config import TrainConfig
from lttune.models import Network
from lttune.models.layers import Output
from lttune.models.own.wrapping import with_channel
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
    # One that is not trained is a buffer, and two layers may share one.
    biases = {id(part.bias) for part in linear if isinstance(part.bias, nn.Parameter)}
    biased = len(biases) == len(linear)
    types = [nn.Linear if type(part) is Output else type(part) for part in parts]
    names = {part: name for name, part in module.named_modules()}
    return (
        types == kinds
        and biased
        and [names[part] for part in linear] == list(network.kinds)
        and _computes_plainly(module, parts)
    )


def _computes_plainly(module: nn.Module, parts: Sequence[nn.Module]) -> bool:
    """Returns whether nothing is called in another way than its type says, and no part twice."""
    before = [hook for one in (module, *parts) for hook in one._forward_pre_hooks.values()]
    hooked = any(one._forward_hooks or "forward" in vars(one) for one in (module, *parts))
    # The channel that it adds is removed again by what makes pictures flat.
    hooked = hooked or any(hook is not with_channel for hook in before)
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
        if config.pruned not in ("zero", "trainable") or needs.holds:
            return "holds pruned weights at zero only"
        if config.method != "prune":
            return "learns no supermasks"
    return ""
