"""Initialisers: how the weights of a new network are drawn.

Every function gives the float32 values of one weight tensor, [out, in] of a linear layer or
[out, in, height, width] of a convolution; the fans count a convolution's field.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from lttune.config import ModelConfig

Shape = tuple[int, ...]
Initialiser = Callable[[Shape, np.random.Generator], Tensor]


CUT_STD = 0.8796256610342398
"""Standard deviation of N(0, 1) cut at -2 and 2."""


def fans(shape: Shape) -> tuple[int, int]:
    """Returns (fan_in, fan_out) of a weight tensor."""
    area = math.prod(shape[2:])
    return shape[1] * area, shape[0] * area


def normal(shape: Shape, rng: np.random.Generator, std: float) -> Tensor:
    """N(0, std^2)."""
    return torch.from_numpy(rng.standard_normal(shape, dtype=np.float32) * np.float32(std))


def uniform(shape: Shape, rng: np.random.Generator, std: float) -> Tensor:
    """Uniform around zero with a standard deviation."""
    bound = np.float32(math.sqrt(3.0) * std)
    return torch.from_numpy((2 * rng.random(shape, dtype=np.float32) - 1) * bound)


def glorot_std(shape: Shape) -> float:
    """sqrt(2 / (fan_in + fan_out)): Glorot & Bengio (2010), equation 12."""
    return math.sqrt(2.0 / sum(fans(shape)))


def he_std(shape: Shape) -> float:
    """sqrt(2 / fan_in): He et al. (2015), equation 10."""
    return math.sqrt(2.0 / fans(shape)[0])


def glorot_normal(shape: Shape, rng: np.random.Generator) -> Tensor:
    """Gaussian Glorot: N(0, 2 / (fan_in + fan_out))."""
    return normal(shape, rng, glorot_std(shape))


def glorot_truncated(shape: Shape, rng: np.random.Generator) -> Tensor:
    """Glorot's deviation, from a Gaussian cut at two of its own deviations (the authors' TF code).

    Values beyond are drawn again, until none is left.
    """
    values = rng.standard_normal(shape, dtype=np.float32)
    while (beyond := np.abs(values) > 2).any():
        values[beyond] = rng.standard_normal(int(beyond.sum()), dtype=np.float32)
    return torch.from_numpy(values * np.float32(glorot_std(shape) / CUT_STD))


def orthogonal(shape: Shape, rng: np.random.Generator) -> Tensor:
    """Orthonormal rows or columns, whichever are fewer (Saxe et al. 2014), times sqrt(2)."""
    rows, columns = shape[0], math.prod(shape[1:])
    q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
    q *= np.sign(np.diag(r))
    values = (q if rows >= columns else q.T) * math.sqrt(2.0)
    return torch.from_numpy(values.reshape(shape).astype(np.float32))


def binary(shape: Shape, rng: np.random.Generator) -> Tensor:
    """A random sign times He's deviation."""
    signs = np.where(rng.random(shape) < 0.5, np.float32(-1), np.float32(1))
    return torch.from_numpy(signs * np.float32(he_std(shape)))


INITIALISERS: dict[str, Initialiser] = {
    "glorot_normal": glorot_normal,
    "glorot_truncated": glorot_truncated,
    "glorot_uniform": lambda shape, rng: uniform(shape, rng, glorot_std(shape)),
    "he_normal": lambda shape, rng: normal(shape, rng, he_std(shape)),
    "he_uniform": lambda shape, rng: uniform(shape, rng, he_std(shape)),
    "orthogonal": orthogonal,
    "binary": binary,
}

NORM_INITIALISERS: dict[str, Initialiser] = {
    "ones": lambda shape, rng: torch.ones(shape),
    "uniform": lambda shape, rng: torch.from_numpy(rng.random(shape, dtype=np.float32)),
    "symmetric": lambda shape, rng: uniform(shape, rng, 1 / math.sqrt(3.0)),
}
"""Value of ``model.norm_init`` -> batch norm's scale."""


def initial_values(
    config: ModelConfig, role: str, shape: Shape, rng: np.random.Generator
) -> Tensor:
    """Returns a parameter's initial values.

    Args:
        config: which initialiser, its deviation and its factor.
        role: "bias" (zero), "norm" (batch norm's scale), or the kind of a layer (its weight).
        shape: of the parameter.
        rng: the stream to draw from.
    """
    if role == "bias":
        return torch.zeros(shape)
    if role == "norm":
        return NORM_INITIALISERS[config.norm_init](shape, rng)
    if config.init == "normal":
        values = normal(shape, rng, config.init_std)
    else:
        values = INITIALISERS[config.init](shape, rng)
    return values if config.init_scale == 1.0 else values * config.init_scale
