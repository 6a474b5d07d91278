"""Layers whose type says what they are for: pruning decides by type, never by name."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Output(nn.Linear):
    """The layer that gives the classes' logits."""


class Shortcut(nn.Conv2d):
    """A convolution on a residual connection."""


class Dropout(nn.Module):
    """Drops each value with probability ``p`` while training and scales up the others.

    Its random numbers come from a generator that is handed in before training, not from PyTorch's
    global one.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self.generator: torch.Generator | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Returns ``x`` with dropped values at zero, or ``x`` itself in evaluation."""
        if not self.training or self.p == 0:
            return x
        keep = torch.empty_like(x).bernoulli_(1 - self.p, generator=self.generator)
        return x * keep.div_(1 - self.p)


NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


def kind(module: nn.Module) -> str | None:
    """Returns the kind of a layer with prunable weights (out, shortcut, fc, conv), else None."""
    for types, name in ((Output, "out"), (Shortcut, "shortcut"), (nn.Linear, "fc")):
        if isinstance(module, types):
            return name
    return "conv" if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d) else None


def weight_name(layer: str) -> str:
    """Returns the name of a layer's prunable tensor: of "fc1" it is "fc1.weight".

    That of "attention:in_proj_weight" is "attention.in_proj_weight".
    """
    module, colon, parameter = layer.partition(":")
    return ".".join(filter(None, (module, parameter if colon else "weight")))


def layer_name(tensor: str) -> str:
    """Returns the layer whose prunable tensor has a name: the inverse of ``weight_name``."""
    module, _, parameter = tensor.rpartition(".")
    return module if module and parameter == "weight" else f"{module}:{parameter}"
