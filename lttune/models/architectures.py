"""Which function makes which network."""

from __future__ import annotations

from torch import nn

from lttune.config import ModelConfig
from lttune.models.conv import conv
from lttune.models.densenet import densenet
from lttune.models.lenet import lenet, lenet5
from lttune.models.resnet import cifar_resnet, imagenet_resnet
from lttune.models.vgg import vgg


def architecture(config: ModelConfig, shape: tuple[int, ...], classes: int) -> nn.Module:
    """Returns a new module of ``config.name`` for pictures of a shape, [H, W] or [C, H, W].

    Raises:
        ConfigError: if the network does not fit the pictures.
    """
    family, *numbers = config.name.split("-")
    sizes = [int(number) for number in numbers]
    match family:
        case "lenet":
            return lenet(shape, classes, sizes, config.dropout)
        case "lenet5":
            return lenet5(shape, classes, config.dropout)
        case "conv":
            return conv(shape, classes, sizes[0], config.dropout)
        case "resnet":
            return cifar_resnet(shape, classes, *sizes)
        case "vgg":
            return vgg(shape, classes, *sizes)
        case "densenet":
            return densenet(shape, classes, *sizes)
    return imagenet_resnet(shape, classes, int(family.removeprefix("resnet")), *sizes)
