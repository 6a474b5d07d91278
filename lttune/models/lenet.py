"""Fully connected ReLU networks; 300-100 is the LeNet of LeCun et al. (1998) and of the paper."""

from __future__ import annotations

import math
from collections import OrderedDict

from torch import nn

from lttune.models.layers import Dropout, Output


def lenet(
    shape: tuple[int, ...], classes: int, widths: list[int], dropout: float = 0.0
) -> nn.Sequential:
    """Returns flatten, then a ReLU layer of each width (fc1, fc2, ...), then ``out``."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    inputs = [math.prod(shape), *widths]
    for i, (fan_in, width) in enumerate(zip(inputs, widths, strict=False), start=1):
        layers[f"fc{i}"] = nn.Linear(fan_in, width)
        layers[f"relu{i}"] = nn.ReLU()
        if dropout > 0:
            layers[f"dropout{i}"] = Dropout(dropout)
    layers["out"] = Output(widths[-1], classes)
    return nn.Sequential(layers)
