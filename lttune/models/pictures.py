"""The shape of the pictures that a convolutional network sees."""

from __future__ import annotations

from torch import nn

from lttune.errors import ConfigError


def picture_shape(shape: tuple[int, ...], least: int = 1) -> tuple[int, int, int]:
    """Returns (channels, height, width) of pictures [H, W] or [C, H, W].

    Raises:
        ConfigError: if they are no pictures, or smaller than ``least`` pixels an edge.
    """
    if len(shape) not in (2, 3):
        raise ConfigError(f"model.name must be a lenet for data of shape {shape}: no pictures")
    channels, height, width = shape if len(shape) == 3 else (1, *shape)
    if min(height, width) < least:
        raise ConfigError(
            f"model.name must fit the pictures: this network halves them down from at least "
            f"{least} pixels an edge, got {height} x {width}"
        )
    return channels, height, width


def with_channels(shape: tuple[int, ...]) -> dict[str, nn.Module]:
    """Returns the layer, if one is needed, that gives grey pictures their one channel."""
    return {"channel": nn.Unflatten(1, (1, shape[0]))} if len(shape) == 2 else {}
