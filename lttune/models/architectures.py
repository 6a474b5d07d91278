"""Which function makes which network."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import nn

from lttune.config import ModelConfig
from lttune.errors import unknown
from lttune.models.conv import conv
from lttune.models.densenet import densenet
from lttune.models.initialisers import Shape
from lttune.models.lenet import lenet, lenet5
from lttune.models.resnet import cifar_resnet, imagenet_resnet
from lttune.models.vgg import vgg

Make = Callable[[Shape, int, list[int], float], nn.Module]
"""Shape of a picture, classes, the numbers in the network's name, dropout -> a new module."""


def _imagenet(
    depth: int, shape: Shape, classes: int, sizes: list[int], dropout: float
) -> nn.Module:
    return imagenet_resnet(shape, classes, depth, *sizes)


FAMILIES: dict[str, Make] = {
    "lenet": lenet,
    "lenet5": lambda shape, classes, sizes, dropout: lenet5(shape, classes, dropout),
    "conv": lambda shape, classes, sizes, dropout: conv(shape, classes, sizes[0], dropout),
    "resnet": lambda shape, classes, sizes, dropout: cifar_resnet(shape, classes, *sizes),
    **{f"resnet{depth}": partial(_imagenet, depth) for depth in (18, 34, 50)},
    "vgg": lambda shape, classes, sizes, dropout: vgg(shape, classes, *sizes),
    "densenet": lambda shape, classes, sizes, dropout: densenet(shape, classes, *sizes),
}
"""What a network's name begins with -> what makes it."""


def architecture(config: ModelConfig, shape: Shape, classes: int) -> nn.Module:
    """Returns a new module of ``config.name`` for pictures of a shape, [H, W] or [C, H, W].

    Raises:
        ConfigError: if there is no such network, or it does not fit the pictures.
    """
    family, *numbers = config.name.split("-")
    if family not in FAMILIES:
        raise unknown("model.name", config.name, FAMILIES)
    return FAMILIES[family](shape, classes, [int(number) for number in numbers], config.dropout)
