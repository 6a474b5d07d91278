"""What the sparse and the stacked engine can train: plain steps of fully connected networks."""

from __future__ import annotations

from lttune.config import TrainConfig

RULES = ("sgd", "momentum", "adam", "adamw")
"""Their update rules."""

NETWORKS = "trains fully connected networks only, without dropout, all layers prunable"
"""What they say of a network that they do not support."""


def beyond(config: TrainConfig) -> str:
    """Returns what of a training only the torch engine can do, as a predicate, "" if nothing."""
    if config.optimizer not in RULES:
        return f"has no {config.optimizer}"
    if config.precision != "float32":
        return f"computes in float32 only, not in {config.precision}"
    if config.frozen:
        return "trains every kind of parameter"
    return ""
