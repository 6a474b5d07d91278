"""Masks: which weights survive.

A mask maps the name of a prunable weight tensor ("fc1.weight") to a bool tensor of its shape, True
where the weight survives. Biases and normalisation are never in a mask.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

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
