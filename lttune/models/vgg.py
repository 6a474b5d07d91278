"""VGG-11, -13, -16 and -19 (Simonyan & Zisserman 2015) with batch norm, as the paper trains them.

Five groups of 3 x 3 convolutions with a 2 x 2 maximum pooling between groups, then the average over
the map and one output layer. (ImageNet's have a fifth pooling and three fully connected layers.)
"""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from lttune.models.layers import Output
from lttune.models.pictures import picture_shape, with_channels

GROUPS = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}
"""Depth -> convolutions per group: Simonyan & Zisserman (2015), table 1."""

WIDTHS = (1, 2, 4, 8, 8)
"""Channels of the groups, in units of the first's."""


def vgg(shape: tuple[int, ...], classes: int, depth: int, width: int = 64) -> nn.Sequential:
    """Returns conv1, norm1, relu1, ..., average, ``out``; the convolutions have no biases.

    Pictures below 16 pixels an edge, whose map is a single pixel after three poolings, do without
    the fourth; the weights are the same.

    Raises:
        ConfigError: if the pictures are smaller than 8 pixels an edge.
    """
    channels, height, wide = picture_shape(shape, least=8)
    poolings = 4 if min(height, wide) >= 16 else 3
    layers: OrderedDict[str, nn.Module] = OrderedDict(with_channels(shape))
    at = 0
    for group, count in enumerate(GROUPS[depth]):
        into = WIDTHS[group] * width
        for _ in range(count):
            at += 1
            layers[f"conv{at}"] = nn.Conv2d(channels, into, 3, padding=1, bias=False)
            layers[f"norm{at}"] = nn.BatchNorm2d(into)
            layers[f"relu{at}"] = nn.ReLU()
            channels = into
        if group < poolings:
            layers[f"pool{group + 1}"] = nn.MaxPool2d(2)
    layers |= {"average": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten()}
    layers["out"] = Output(channels, classes)
    return nn.Sequential(layers)
