"""LeNets: fully connected ReLU networks, of which 300-100 is the paper's, and LeNet-5.

Both are named in LeCun et al. (1998).
"""

from __future__ import annotations

import math
from collections import OrderedDict

from torch import nn

from lttune.models.layers import Dropout, Output
from lttune.models.pictures import picture_shape, with_channels

KERNEL_EDGE = 5
"""Pixels of the edge of LeNet-5's convolutions."""


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


def lenet5(shape: tuple[int, ...], classes: int, dropout: float = 0.0) -> nn.Sequential:
    """Returns LeNet-5 with ReLU and maximum pooling: conv1 (6), conv2 (16), fc1 (120), fc2 (84).

    The first 5 x 5 convolution is padded by 2, as MNIST's 28 pixels were to 32; the second is not
    padded. On 28 x 28 pixels that is LeCun's network with full connections between its two
    convolutions: 61,470 weights. Pictures below 12 pixels an edge, whose maps would vanish, have
    the second padded as well.

    Raises:
        ConfigError: if the pictures are smaller than 8 pixels an edge.
    """
    channels, height, width = picture_shape(shape, least=8)
    height, width = height // 2, width // 2
    padding = 0 if min(height, width) > KERNEL_EDGE else KERNEL_EDGE // 2
    height, width = ((edge + 2 * padding - KERNEL_EDGE + 1) // 2 for edge in (height, width))
    fully_connected = lenet((16, height, width), classes, [120, 84], dropout)
    layers: OrderedDict[str, nn.Module] = OrderedDict(with_channels(shape))
    layers["conv1"] = nn.Conv2d(channels, 6, KERNEL_EDGE, padding=KERNEL_EDGE // 2)
    layers["conv_relu1"] = nn.ReLU()
    layers["pool1"] = nn.MaxPool2d(2)
    layers["conv2"] = nn.Conv2d(6, 16, KERNEL_EDGE, padding=padding)
    layers["conv_relu2"] = nn.ReLU()
    layers["pool2"] = nn.MaxPool2d(2)
    return nn.Sequential(layers | OrderedDict(fully_connected.named_children()))
