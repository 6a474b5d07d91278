"""Masks: which weights survive.

A mask maps the name of a prunable weight tensor ("fc1.weight") to a bool tensor of its shape, True
where the weight survives. Biases and normalisation are never in a mask.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from lttune.errors import ConfigError

Mask = dict[str, Tensor]
Weights = dict[str, Tensor]


def ones(weights: Mapping[str, Tensor], names: list[str]) -> Mask:
    """Returns the dense mask of the named tensors."""
    return {name: torch.ones(weights[name].shape, dtype=torch.bool) for name in names}


def surviving(mask: Mask) -> int:
    """Returns the number of weights that survive."""
    return sum(int(keep.sum()) for keep in mask.values())


def prunable(mask: Mask) -> int:
    """Returns the number of weights of the dense network that can be pruned."""
    return sum(keep.numel() for keep in mask.values())


def density(mask: Mask) -> float:
    """Returns the share of prunable weights that survive, in [0, 1]."""
    return surviving(mask) / prunable(mask)


def layer_densities(mask: Mask) -> dict[str, float]:
    """Returns the density of each layer under the layer's name ("fc1")."""
    return {name.removesuffix(".weight"): float(k.float().mean()) for name, k in mask.items()}


def union(*masks: Mask) -> Mask:
    """Returns the mask of the weights that survive in any of the masks.

    Raises:
        ConfigError: if the masks are of different networks.
    """
    return _joined(torch.logical_or, masks)


def intersection(*masks: Mask) -> Mask:
    """Returns the mask of the weights that survive in all of the masks.

    Raises:
        ConfigError: if the masks are of different networks.
    """
    return _joined(torch.logical_and, masks)


def jaccard(one: Mask, other: Mask) -> dict[str, float]:
    """Returns each layer's share of common survivors, in [0, 1], under its name ("fc1").

    It is the size of the intersection over the size of the union (Jaccard 1901), 1 where both are
    empty. Two independent masks of density d have d / (2 - d) on average.

    Raises:
        ConfigError: if the masks are of different networks.
    """
    both, either = intersection(one, other), union(one, other)
    return {
        name.removesuffix(".weight"): int(both[name].sum()) / int(keep.sum()) if keep.any() else 1.0
        for name, keep in either.items()
    }


def _joined(join: Callable[[Tensor, Tensor], Tensor], masks: Sequence[Mask]) -> Mask:
    shapes = [{name: tuple(keep.shape) for name, keep in mask.items()} for mask in masks]
    for other in shapes[1:]:
        if other != shapes[0]:
            raise ConfigError(f"masks must be of one network, got {shapes[0]} and {other}")
    return {name: functools.reduce(join, [mask[name] for mask in masks]) for name in masks[0]}


def apply(weights: Mapping[str, Tensor], mask: Mask) -> Weights:
    """Returns copies of the weights with exact zeros where the mask is False."""
    return {
        name: torch.where(mask[name], value, torch.zeros_like(value))
        if name in mask
        else value.clone()
        for name, value in weights.items()
    }


def pack(keep: Tensor) -> Tensor:
    """Returns the bits of a bool tensor, eight a byte, in row-major order (uint8, 1-D)."""
    return torch.from_numpy(np.packbits(keep.numpy().ravel()))


def unpack(bits: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Returns the bool tensor of a shape whose bits ``pack`` wrote."""
    count = int(np.prod(shape))
    flat = np.unpackbits(bits.numpy(), count=count).astype(bool)
    return torch.from_numpy(flat).reshape(shape)
