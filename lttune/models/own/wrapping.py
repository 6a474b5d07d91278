"""A module of somebody's as lttune trains it: its names stay its own."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from lttune.config.lottery.model import is_of_torchvision
from lttune.errors import quoted
from lttune.models.initialisers import Shape
from lttune.models.own.code import NetworkFunction
from lttune.records.own import OwnCode

COLOURS = 3
"""Channels that torchvision's networks read."""


def wrapped(code: OwnCode, function: NetworkFunction, shape: Shape, classes: int) -> nn.Module:
    """Returns a new module for pictures of a shape, [H, W] or [C, H, W].

    Grey pictures get their one channel by a hook, of which no name of the module tells; networks of
    torchvision get it three times. What the module says is not to be trained becomes a buffer.

    Raises:
        ConfigError: if the function does not return a module.
    """
    full = shape if len(shape) == 3 else (1, *shape)
    if len(full) != 3:
        code.refuse(f"is made for pictures, got data of shape {shape}")
    try:
        module = function(full, classes)
    except (Exception, SystemExit) as error:
        code.failed(f"cannot be made for pictures of {_size(full)} and {classes} classes", error)
    if not isinstance(module, nn.Module):
        code.refuse(f"must return an nn.Module, got {quoted(module)}")
    if len(shape) == 2:
        module.register_forward_pre_hook(with_channel)
    if is_of_torchvision(code.name) and full[0] == 1:
        module.register_forward_pre_hook(_with_colours)
    _freeze(module)
    return module


def _size(shape: Shape) -> str:
    return " x ".join(map(str, shape))


def with_channel(module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """A hook: gives grey pictures, [N, H, W], their one channel."""
    return (inputs[0].unsqueeze(1), *inputs[1:])


def _with_colours(module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    pictures: Tensor = inputs[0]
    return (pictures.expand(-1, COLOURS, -1, -1), *inputs[1:])


def _freeze(module: nn.Module) -> None:
    """Makes buffers of the parameters that need no gradient: weight decay would move them."""
    for part in module.modules():
        for own, value in list(part.named_parameters(recurse=False, remove_duplicate=False)):
            if not value.requires_grad:
                delattr(part, own)
                part.register_buffer(own, value.data)
