"""Densely connected networks of CIFAR (Huang et al. 2017), without bottleneck and compression."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from lttune.models.layers import Output
from lttune.models.pictures import picture_shape, with_channels

STEM = 16
"""Channels of the first convolution (section 4.2)."""


class Dense(nn.Module):
    """Batch norm, ReLU and a 3 x 3 convolution, whose channels are appended to the input's."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.conv = nn.Conv2d(channels, growth, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Returns [B, channels + growth, H, W]."""
        return torch.cat([x, self.conv(torch.relu(self.norm(x)))], dim=1)


def densenet(shape: tuple[int, ...], classes: int, depth: int, growth: int) -> nn.Sequential:
    """Returns the DenseNet of depth 3 n + 4 with a growth rate: section 4.2, table 2.

    A 3 x 3 convolution (conv1), three blocks of n dense layers (block1.1.conv, ...) with a
    transition between blocks (batch norm, ReLU, 1 x 1 convolution transition1.conv, 2 x 2 average
    pooling), batch norm, ReLU, average pooling, ``out``.

    Raises:
        ConfigError: if the pictures are smaller than 4 pixels an edge.
    """
    channels, *_ = picture_shape(shape, least=4)
    layers: OrderedDict[str, nn.Module] = OrderedDict(with_channels(shape))
    layers["conv1"] = nn.Conv2d(channels, STEM, 3, padding=1, bias=False)
    channels = STEM
    for block in (1, 2, 3):
        if block > 1:
            layers[f"transition{block - 1}"] = _transition(channels)
        dense: OrderedDict[str, nn.Module] = OrderedDict()
        for i in range(1, (depth - 4) // 3 + 1):
            dense[f"{i}"] = Dense(channels, growth)
            channels += growth
        layers[f"block{block}"] = nn.Sequential(dense)
    layers |= {"norm": nn.BatchNorm2d(channels), "relu": nn.ReLU()}
    layers |= {"average": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten()}
    layers["out"] = Output(channels, classes)
    return nn.Sequential(layers)


def _transition(channels: int) -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(
            norm=nn.BatchNorm2d(channels),
            relu=nn.ReLU(),
            conv=nn.Conv2d(channels, channels, 1, bias=False),
            pool=nn.AvgPool2d(2),
        )
    )
