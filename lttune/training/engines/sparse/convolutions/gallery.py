"""A dataset's pictures as the kernels of convolutions read them."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from lttune.data.resident import Examples
from lttune.training.engines.sparse.convolutions.memory import Gallery
from lttune.training.engines.sparse.pixels import PixelLists


def gallery(
    examples: Examples, shape: tuple[int, int, int], pixels: PixelLists, classes: int
) -> Gallery:
    """Returns examples of pictures of a shape [channels, height, width].

    Raises:
        ValueError: if they are of another shape.
        IndexError: as ``PixelLists.labels`` does.
    """
    # Grey pictures may lack their one channel.
    if (found := tuple(examples.x.shape[1:])) not in (shape, shape[shape[0] == 1 :]):
        raise ValueError(f"pictures must be of {shape} pixels, got {found}")
    labels = pixels.labels(examples, classes)
    return Gallery(pixels.flat(examples), _shades(examples, shape[0]), labels)


def _shades(examples: Examples, channels: int) -> np.ndarray:
    """Returns the input that each value of a pixel is, by channel, as the examples scale it."""
    pixels = torch.arange(256, dtype=torch.uint8).reshape(256, 1, 1, 1)
    every = dataclasses.replace(examples, x=pixels.expand(256, channels, 1, 1))
    inputs, _ = every.slice(0, 256)
    return inputs.reshape(256, channels).T.reshape(-1).numpy()
