"""Which function makes which network."""

from __future__ import annotations

from torch import nn

from lttune.config import ModelConfig
from lttune.models.conv import conv
from lttune.models.lenet import lenet


def architecture(config: ModelConfig, shape: tuple[int, ...], classes: int) -> nn.Module:
    """Returns a new module of ``config.name`` for pictures of a shape.

    Raises:
        ConfigError: if the network does not fit the pictures.
    """
    family, *numbers = config.name.split("-")
    sizes = [int(number) for number in numbers]
    if family == "lenet":
        return lenet(shape, classes, sizes, config.dropout)
    return conv(shape, classes, sizes[0], config.dropout)
