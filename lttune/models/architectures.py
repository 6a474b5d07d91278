"""Which function makes which network."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import nn

from lttune.config import ModelConfig
from lttune.config.lottery.model import is_own_network
from lttune.errors import ConfigError, unknown
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
"""What a network's name begins with -> what makes it. ``lttune.models.own`` adds networks of one's
own by their whole names."""


def row_of_network(name: str) -> Make:
    """Returns the row of a network's name.

    Raises:
        ConfigError: if there is none.
    """
    if is_own_network(name):
        if name not in FAMILIES:
            raise ConfigError(f"model.name: {name} must be made known by lttune.models.own.use")
        return FAMILIES[name]
    family = name.partition("-")[0]
    if family not in FAMILIES:
        raise unknown("model.name", name, [name for name in FAMILIES if not is_own_network(name)])
    return FAMILIES[family]


def architecture(config: ModelConfig, shape: Shape, classes: int) -> nn.Module:
    """Returns a new module of ``config.name`` for pictures of a shape, [H, W] or [C, H, W].

    Raises:
        ConfigError: if there is no such network, or it does not fit the pictures.
    """
    row = row_of_network(config.name)
    numbers = [] if is_own_network(config.name) else config.name.split("-")[1:]
    return row(shape, classes, [int(number) for number in numbers], config.dropout)
