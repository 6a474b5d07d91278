"""Fully connected ReLU networks; 300-100 is the LeNet of LeCun et al. (1998) and of the paper."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn


def lenet(inputs: int, widths: list[int], classes: int) -> nn.Sequential:
    """Returns flatten, then a ReLU layer of each width (fc1, fc2, ...), then ``out``."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    for i, (fan_in, width) in enumerate(zip([inputs, *widths], widths, strict=False), start=1):
        layers[f"fc{i}"] = nn.Linear(fan_in, width)
        layers[f"relu{i}"] = nn.ReLU()
    layers["out"] = nn.Linear(widths[-1], classes)
    return nn.Sequential(layers)
