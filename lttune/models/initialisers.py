"""Initialisers: how the weights of a new network are drawn."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

Initialiser = Callable[[tuple[int, ...], np.random.Generator], Tensor]


def glorot_normal(shape: tuple[int, ...], rng: np.random.Generator) -> Tensor:
    """Gaussian Glorot: N(0, 2 / (fan_in + fan_out)), Glorot & Bengio (2010), float32.

    Args:
        shape: [out, in] of a linear layer or [out, in, h, w] of a convolution.
        rng: the stream to draw from.
    """
    field = math.prod(shape[2:])
    std = math.sqrt(2.0 / ((shape[0] + shape[1]) * field))
    return torch.from_numpy(rng.standard_normal(shape, dtype=np.float32) * np.float32(std))


INITIALISERS: dict[str, Initialiser] = {"glorot_normal": glorot_normal}
