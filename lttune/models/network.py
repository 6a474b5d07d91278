"""A network as the science sees it: a forward function, named weights, prunable layers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from lttune.config import ModelConfig
from lttune.errors import ConfigError, unknown
from lttune.models.architectures import architecture
from lttune.models.initialisers import initial_values
from lttune.models.layers import NORMS, Dropout, kind


@dataclass(frozen=True, kw_only=True)
class Network:
    """An architecture for one input shape and number of classes; it holds no weights."""

    make: Callable[[], nn.Module]
    """Returns a module; its parameters' values are not meant."""
    shapes: dict[str, tuple[int, ...]]
    """Parameter name -> shape, in the module's order."""
    kinds: dict[str, str]
    """Prunable layer -> kind: fc, conv, shortcut, or out for the one that gives the logits."""
    roles: dict[str, str]
    """Parameter name -> the kind of its layer, bias, or norm."""
    buffers: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """Name -> shape of what training changes but no optimizer: batch norm's running moments."""
    config: ModelConfig

    @property
    def prunable(self) -> list[str]:
        """Names of the prunable weight tensors, e.g. "fc1.weight"."""
        return [f"{layer}.weight" for layer in self.kinds]

    def excluding(self, names: Sequence[str]) -> Network:
        """Returns the network whose layers of these names or kinds are not prunable.

        Raises:
            ConfigError: if a name is neither a layer nor a kind, or nothing prunable is left.
        """
        for name in names:
            if name not in self.kinds and name not in self.kinds.values():
                raise unknown("prune.exclude", name, {*self.kinds, *self.kinds.values()})
        gone = set(names)
        kinds = {la: k for la, k in self.kinds.items() if la not in gone and k not in gone}
        if not kinds:
            raise ConfigError(f"prune.exclude must leave a prunable layer, got {tuple(names)!r}")
        return dataclasses.replace(self, kinds=kinds)

    def initial_weights(self, rng: np.random.Generator) -> dict[str, Tensor]:
        """Returns new weights drawn from the stream in the parameters' order, then the buffers.

        Biases are zero, running means 0, running variances 1.
        """
        drawn: dict[str, Tensor] = {}
        for name, shape in self.shapes.items():
            # Batch norm's shift is a bias by its parameter, its scale is not.
            role = "bias" if name.endswith(".bias") else self.roles[name]
            drawn[name] = initial_values(self.config, role, shape, rng)
        return drawn | {
            name: torch.ones(shape) if name.endswith("running_var") else torch.zeros(shape)
            for name, shape in self.buffers.items()
        }


def build(config: ModelConfig, shape: tuple[int, ...], classes: int) -> Network:
    """Returns the network of a configuration for pictures of a shape.

    Which weights can be pruned is decided by the type of their module, never by a name.

    Raises:
        ConfigError: if the network does not fit the pictures, or drops nothing although told to.
    """

    def make() -> nn.Module:
        return architecture(config, shape, classes)

    with torch.device("meta"):
        module = make()
    modules = dict(module.named_modules())
    if config.dropout > 0 and not any(isinstance(part, Dropout) for part in modules.values()):
        raise ConfigError(
            f"model.dropout must be 0 for {config.name}, which has no hidden fully connected "
            f"layers, got {config.dropout!r}"
        )
    kinds = {name: kind(part) for name, part in modules.items()}
    return Network(
        make=make,
        shapes={name: tuple(value.shape) for name, value in module.named_parameters()},
        kinds={name: found for name, found in kinds.items() if found is not None},
        roles={name: _role(name, modules) for name, _ in module.named_parameters()},
        buffers={
            name: tuple(value.shape)
            for name, value in module.named_buffers()
            if value.is_floating_point()
        },
        config=config,
    )


def _role(name: str, modules: dict[str, nn.Module]) -> str:
    layer, _, parameter = name.rpartition(".")
    if isinstance(modules[layer], NORMS):
        return "norm"
    found = kind(modules[layer])
    return found if parameter == "weight" and found is not None else "bias"
