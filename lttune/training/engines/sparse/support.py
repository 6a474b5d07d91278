"""Which networks the sparse engine can train: fully connected ones with ReLU."""

from __future__ import annotations

import torch
from torch import nn

from lttune.models import Network

MOST_INPUTS = 1 << 16
"""A lit pixel's place is a uint16."""


def supports(network: Network) -> bool:
    """Returns whether a network is flatten, then linear layers with biases and ReLU between.

    The layers must be in the order of ``network.kinds``, all with a prunable weight.
    """
    with torch.device("meta"):
        module = network.make()
    parts = [part for part in module.modules() if not list(part.children())]
    linear = [part for part in parts if isinstance(part, nn.Linear)]
    names = [name for name, part in module.named_modules() if isinstance(part, nn.Linear)]
    kinds = [nn.Flatten, *[nn.Linear, nn.ReLU] * len(linear)][:-1]
    return (
        isinstance(module, nn.Sequential)
        and len(parts) == len(kinds)
        and all(isinstance(part, kind) for part, kind in zip(parts, kinds, strict=True))
        and names == list(network.kinds)
        and all(part.bias is not None for part in linear)
        and linear[0].in_features <= MOST_INPUTS
    )
