"""Augmentation of resident pictures: a batch at a time, on their device, from a NumPy stream."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

PADDING = 4
"""Pixels of black on each side before a crop, as He et al. (2016) did for CIFAR-10."""


def augmented(x: Tensor, name: str, rng: np.random.Generator) -> Tensor:
    """Returns pictures (uint8, [B, H, W] or [B, C, H, W]) flipped and moved at random.

    Args:
        x: the pictures.
        name: none, flip (left and right, each with probability 1/2), crop (each moved by -4 to 4
            pixels either way, the gap black), or flip-crop.
        rng: the stream; a batch draws the same numbers on every device.
    """
    if "flip" in name:
        flip = torch.from_numpy(rng.random(len(x)) < 0.5).to(x.device)
        x = torch.where(flip.view(-1, *[1] * (x.ndim - 1)), x.flip(-1), x)
    if "crop" in name:
        down, right = torch.from_numpy(rng.integers(0, 2 * PADDING + 1, (2, len(x)))).to(x.device)
        x = _crop(x, down, right)
    return x


def _crop(x: Tensor, down: Tensor, right: Tensor) -> Tensor:
    height, width = x.shape[-2:]
    padded = functional.pad(x, (PADDING,) * 4)
    rows = down[:, None] + torch.arange(height, device=x.device)
    columns = right[:, None] + torch.arange(width, device=x.device)
    at = torch.arange(len(x), device=x.device)[:, None, None]
    if x.ndim == 3:
        return padded[at, rows[:, :, None], columns[:, None, :]]
    # Indices around a slice put the channels last.
    return padded[at, :, rows[:, :, None], columns[:, None, :]].movedim(-1, 1)
