"""A network as the science sees it: a forward function, named weights, prunable layers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from lttune.config import ModelConfig
from lttune.models.initialisers import INITIALISERS
from lttune.models.lenet import lenet


@dataclass(frozen=True, kw_only=True)
class Network:
    """An architecture for one input shape and number of classes; it holds no weights."""

    make: Callable[[], nn.Module]
    """Returns a module; its parameters' values are not meant."""
    shapes: dict[str, tuple[int, ...]]
    """Parameter name -> shape, in the module's order."""
    kinds: dict[str, str]
    """Prunable layer -> kind: fc, or out for the layer that gives the classes' logits."""
    init: str

    @property
    def prunable(self) -> list[str]:
        """Names of the prunable weight tensors, e.g. "fc1.weight"."""
        return [f"{layer}.weight" for layer in self.kinds]

    def initial_weights(self, rng: np.random.Generator) -> dict[str, Tensor]:
        """Returns new weights drawn from the stream in the parameters' order; biases are zero."""
        draw = INITIALISERS[self.init]
        return {
            name: draw(shape, rng) if len(shape) > 1 else torch.zeros(shape)
            for name, shape in self.shapes.items()
        }


def build(config: ModelConfig, shape: tuple[int, ...], classes: int) -> Network:
    """Returns the network of a configuration for pictures of a shape.

    Which weights can be pruned is decided by the type of their module, never by a name: every
    linear layer's weight is; the last one's kind is "out", the others' "fc".
    """
    widths = [int(width) for width in config.name.split("-")[1:]]

    def make() -> nn.Module:
        return lenet(int(np.prod(shape)), widths, classes)

    with torch.device("meta"):
        module = make()
    layers = [name for name, part in module.named_modules() if isinstance(part, nn.Linear)]
    return Network(
        make=make,
        shapes={name: tuple(value.shape) for name, value in module.named_parameters()},
        kinds={name: "out" if name == layers[-1] else "fc" for name in layers},
        init=config.init,
    )
