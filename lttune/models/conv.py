"""Conv-2, Conv-4 and Conv-6 of the paper's section 3: VGG-like, without batch norm.

Modules of two 3 x 3 convolutions ('same' padding, ReLU) and a 2 x 2 maximum pooling, with 64, 128
and 256 channels, then fully connected layers of 256, 256 and the classes.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from lttune.models.layers import Dropout, Output
from lttune.models.pictures import picture_shape, with_channels

CHANNELS = (64, 128, 256)
HIDDEN = 256


def conv(shape: tuple[int, ...], classes: int, depth: int, dropout: float = 0.0) -> nn.Sequential:
    """Returns Conv-``depth`` (2, 4 or 6): conv1, conv2, ..., fc1, fc2, out.

    Raises:
        ConfigError: if the pictures are too small to be halved ``depth / 2`` times.
    """
    channels, height, width = picture_shape(shape, least=2 ** (depth // 2))
    layers: OrderedDict[str, nn.Module] = OrderedDict(with_channels(shape))
    for i in range(depth):
        into = CHANNELS[i // 2]
        layers[f"conv{i + 1}"] = nn.Conv2d(channels, into, 3, padding=1)
        layers[f"relu{i + 1}"] = nn.ReLU()
        channels = into
        if i % 2:
            layers[f"pool{i // 2 + 1}"] = nn.MaxPool2d(2)
            height, width = height // 2, width // 2
    layers["flatten"] = nn.Flatten()
    fan_in = channels * height * width
    for i in (1, 2):
        layers[f"fc{i}"] = nn.Linear(fan_in, HIDDEN)
        layers[f"fc_relu{i}"] = nn.ReLU()
        if dropout > 0:
            layers[f"dropout{i}"] = Dropout(dropout)
        fan_in = HIDDEN
    layers["out"] = Output(HIDDEN, classes)
    return nn.Sequential(layers)
