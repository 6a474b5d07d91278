"""Augmentation of resident pictures: a batch at a time, on their device, from a NumPy stream."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from lttune.errors import unknown

PADDING = 4
"""Pixels of black on each side before a crop, as He et al. (2016) did for CIFAR-10."""


def flip(x: Tensor, rng: np.random.Generator) -> Tensor:
    """Returns pictures of which each is turned left to right with probability 1/2."""
    turned = torch.from_numpy(rng.random(len(x)) < 0.5).to(x.device)
    return torch.where(turned.view(-1, *[1] * (x.ndim - 1)), x.flip(-1), x)


def crop(x: Tensor, rng: np.random.Generator) -> Tensor:
    """Returns pictures of which each is moved by -4 to 4 pixels either way, the gap black."""
    down, right = torch.from_numpy(rng.integers(0, 2 * PADDING + 1, (2, len(x)))).to(x.device)
    return _crop(x, down, right)


AUGMENTATIONS: dict[str, tuple[Callable[[Tensor, np.random.Generator], Tensor], ...]] = {
    "none": (),
    "flip": (flip,),
    "crop": (crop,),
    "flip-crop": (flip, crop),
}
"""Value of ``data.augment`` -> what is done to a batch, in this order."""


def augmented(x: Tensor, name: str, rng: np.random.Generator) -> Tensor:
    """Returns pictures (uint8, [B, H, W] or [B, C, H, W]) flipped and moved at random.

    Args:
        x: the pictures.
        name: of ``AUGMENTATIONS``.
        rng: the stream; a batch draws the same numbers on every device.

    Raises:
        ConfigError: if there is no such augmentation.
    """
    if name not in AUGMENTATIONS:
        raise unknown("data.augment", name, AUGMENTATIONS)
    for change in AUGMENTATIONS[name]:
        x = change(x, rng)
    return x


def _crop(x: Tensor, down: Tensor, right: Tensor) -> Tensor:
    height, width = x.shape[-2:]
    padded = functional.pad(x, (PADDING,) * 4)
    # Every place of a crop, as a view of the same memory: [B, ..., 9, 9, H, W].
    crops = padded.unfold(-2, height, 1).unfold(-2, width, 1)
    at = torch.arange(len(x), device=x.device)
    return crops[at, down, right] if x.ndim == 3 else crops[at, :, down, right]
