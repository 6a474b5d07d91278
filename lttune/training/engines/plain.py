"""What the sparse and the stacked engine can train: plain steps of plain networks."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from torch import nn

from lttune.config import TrainConfig
from lttune.models import Network
from lttune.models.layers import Output
from lttune.models.own.wrapping import with_channel
from lttune.training.engines.needs import Needs

PLAIN_RULES = ("sgd", "momentum", "adam", "adamw")
"""Their update rules."""

NETWORKS = "trains fully connected networks only, without dropout, all layers prunable"
"""What the stacked engine says of a network that is not fully connected."""


def in_sequence(network: Network) -> list[nn.Module]:
    """Returns the modules that a network calls one after the other, [] if it may do otherwise.

    Every linear layer and convolution has biases and is prunable. To ask takes a millisecond.
    """
    module = network.opened("meta")
    # What is derived from this type may compute anything.
    if type(module) is not nn.Sequential:
        return []
    parts = list(module)
    layers = [part for part in parts if isinstance(part, nn.Linear | nn.Conv2d)]
    # One that is not trained is a buffer, and two layers may share one.
    biases = {id(part.bias) for part in layers if isinstance(part.bias, nn.Parameter)}
    names = {part: name for name, part in module.named_modules()}
    plainly = (
        len(biases) == len(layers)
        and [names[part] for part in layers] == list(network.kinds)
        and _computes_plainly(module, parts)
    )
    return parts if plainly else []


def of_linear(parts: Sequence[nn.Module]) -> bool:
    """Returns whether modules are flatten, linear, and then any number of ReLU, linear."""
    kinds = [nn.Flatten, nn.Linear, *[nn.ReLU, nn.Linear] * ((len(parts) - 2) // 2)]
    return [nn.Linear if type(part) is Output else type(part) for part in parts] == kinds


def fully_connected(network: Network) -> bool:
    """Returns whether a network is ``of_linear``, each layer with biases and prunable."""
    return of_linear(in_sequence(network))


def beyond_linear(network: Network) -> str:
    """Returns ``NETWORKS`` of a network that is not fully connected, else ""."""
    return "" if fully_connected(network) else NETWORKS


def _computes_plainly(module: nn.Module, parts: Sequence[nn.Module]) -> bool:
    """Returns whether nothing is called in another way than its type says, and no part twice."""
    before = [hook for one in (module, *parts) for hook in one._forward_pre_hooks.values()]
    hooked = any(one._forward_hooks or "forward" in vars(one) for one in (module, *parts))
    # The channel that it adds is what convolutions expect, and what makes pictures flat removes it.
    hooked = hooked or any(hook is not with_channel for hook in before)
    flattens = [part for part in parts if isinstance(part, nn.Flatten)]
    flat = all((part.start_dim, part.end_dim) == (1, -1) for part in flattens)
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


def lack(needs: Needs, beyond_network: Callable[[Network], str]) -> str:
    """Returns what of a study only the torch engine can do, as a predicate, "" if nothing.

    Args:
        needs: of the study.
        beyond_network: returns what of a network only it can train, likewise.
    """
    if reason := next(filter(None, map(beyond_network, needs.networks)), ""):
        return reason
    for config in needs.configs:
        rule = config.target.optimizer or config.train.optimizer
        transferred = dataclasses.replace(config.train, optimizer=rule)
        if reason := beyond(config.train) or beyond(transferred):
            return reason
        if config.pruned not in ("zero", "trainable") or needs.holds:
            return "holds pruned weights at zero only"
        if config.method != "prune":
            return "learns no supermasks"
    return ""
