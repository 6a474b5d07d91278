"""Optimizer rules over a stack: PyTorch's algebra with numbers of each member's own.

``torch.optim`` takes one learning rate; here every number that may differ between members is a
column. An update is a few elementwise operations on all members' parameters at once, which
``torch.compile`` turns into one kernel. The mask is part of it: a parameter that starts at zero and
whose gradient is always multiplied by zero keeps moments of zero and stays exactly zero.

Shape suffixes: N steps, K members, P parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor

BETA1, BETA2, EPS = 0.9, 0.999, 1e-8

Array = npt.NDArray[np.float64]
Scalars = tuple[Array, ...]


@dataclass(frozen=True)
class Rule:
    """How one optimizer moves the parameters."""

    moments: int
    """Tensors of state, each of the parameters' shape and zero at first."""
    scalars: Callable[[Array, Array, Array, Array], Scalars]
    """Learning rates [N, K], weight decays [K], momenta [K], step numbers from 1 [N, 1] -> what
    each member's update needs, each [N, K]."""
    update: Callable[..., None]
    """Values, gradients, mask, each [K, P]; the moments, each [K, P]; the scalars, each [K, 1]. It
    writes to all but the mask and the scalars."""


def _sgd(value: Tensor, gradient: Tensor, keep: Tensor, rate: Tensor, decay: Tensor) -> None:
    gradient.addcmul_(value, decay).mul_(keep)
    value.addcmul_(gradient, rate, value=-1)


def _momentum(
    value: Tensor,
    gradient: Tensor,
    keep: Tensor,
    first: Tensor,
    rate: Tensor,
    decay: Tensor,
    factor: Tensor,
) -> None:
    gradient.addcmul_(value, decay).mul_(keep)
    first.mul_(factor).add_(gradient)
    value.addcmul_(first, rate, value=-1)


def _adam(
    value: Tensor,
    gradient: Tensor,
    keep: Tensor,
    first: Tensor,
    second: Tensor,
    size: Tensor,
    correction: Tensor,
    decay: Tensor,
) -> None:
    gradient.addcmul_(value, decay).mul_(keep)
    _adaptive(value, gradient, first, second, size, correction)


def _adamw(
    value: Tensor,
    gradient: Tensor,
    keep: Tensor,
    first: Tensor,
    second: Tensor,
    size: Tensor,
    correction: Tensor,
    shrink: Tensor,
) -> None:
    gradient.mul_(keep)
    value.mul_(shrink)
    _adaptive(value, gradient, first, second, size, correction)


def _adaptive(
    value: Tensor, gradient: Tensor, first: Tensor, second: Tensor, size: Tensor, correction: Tensor
) -> None:
    first.lerp_(gradient, 1 - BETA1)
    second.mul_(BETA2).addcmul_(gradient, gradient, value=1 - BETA2)
    value.addcdiv_(first * size, second.sqrt().mul_(correction).add_(EPS), value=-1)


def _size_and_correction(rate: Array, step: Array) -> Scalars:
    return rate / (1 - BETA1**step), _like(rate, 1 / np.sqrt(1 - BETA2**step))


def _like(rate: Array, value: Array) -> Array:
    return np.broadcast_to(value, rate.shape)


RULES = {
    "sgd": Rule(0, lambda rate, decay, _, step: (rate, _like(rate, decay)), _sgd),
    "momentum": Rule(
        1,
        lambda rate, decay, factor, step: (rate, _like(rate, decay), _like(rate, factor)),
        _momentum,
    ),
    "adam": Rule(
        2,
        lambda rate, decay, _, step: (*_size_and_correction(rate, step), _like(rate, decay)),
        _adam,
    ),
    "adamw": Rule(
        2,
        lambda rate, decay, _, step: (*_size_and_correction(rate, step), 1 - rate * decay),
        _adamw,
    ),
}
"""Optimizer's name in a configuration -> its rule."""
