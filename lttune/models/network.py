"""A network as the science sees it: a forward function, named weights, prunable layers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from lttune.config import ModelConfig
from lttune.errors import ConfigError, unknown
from lttune.models.architectures import architecture, row_of_network
from lttune.models.initialisers import initial_values
from lttune.models.layers import Dropout, weight_name
from lttune.models.outline import Outline, outline_of
from lttune.models.own import OwnNetwork
from lttune.models.own.draws import seeded


@dataclass(frozen=True, kw_only=True)
class Network(Outline):
    """An architecture for one input shape and number of classes; it holds no weights."""

    make: Callable[[], nn.Module]
    """Returns a module; its parameters' values are not meant. See ``opened``."""
    config: ModelConfig
    pictures: tuple[int, ...] = ()
    """Shape of the pictures that it reads."""
    source: str = ""
    """SHA-256 of the code of a network of one's own, "" of ours."""
    kept: Callable[[int], dict[str, Tensor]] | None = None
    """Returns what ``constructed`` does from where it was kept; None is to draw it."""

    @property
    def prunable(self) -> list[str]:
        """Names of the prunable weight tensors, e.g. "fc1.weight"."""
        return [weight_name(layer) for layer in self.kinds]

    @property
    def left(self) -> list[str]:
        """Names of the parameters and buffers whose initial values the module's constructor draws.

        With ``model.init`` "module" these are all; else, of a network of one's own, those that are
        neither weights nor biases of layers nor batch norm's scale.
        """
        if self.config.init == "module":
            return [*self.shapes, *self.buffers]
        own = [name for name, role in self.roles.items() if role == "module"]
        return [*own, *self.constants]

    def opened(self, device: torch.device | str) -> nn.Module:
        """Returns a module on a device; the values of its parameters and moments are not meant.

        Args:
            device: "meta" leaves those of our networks without values, which takes no time.
        """
        with seeded(0), torch.device("meta"):
            module = self.make()
        # PyTorch (2.14) imports sympy, half a second, to move a module to "meta", even from there.
        if torch.device(device).type == "meta":
            return module
        if any(value.is_meta for value in module.parameters()):
            return module.to_empty(device=device)
        return module.to(device)

    @property
    def built_on(self) -> str:
        """The device on which ``opened("meta")`` is: that of the code of a network of one's own."""
        return "cpu" if self.source else "meta"

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

        Biases are zero, running means 0, running variances 1, unless they are ``left``.

        Raises:
            ConfigError: if they must be drawn by code that is not here.
        """
        given: Mapping[str, Tensor] = {}
        if self.left:
            given = (self.kept or self.constructed)(int(rng.integers(2**63)))
        drawn: dict[str, Tensor] = {}
        for name, shape in self.shapes.items():
            # Batch norm's shift is a bias by its parameter, its scale is not.
            role = "bias" if name.endswith(".bias") else self.roles[name]
            if name in given:
                drawn[name] = given[name].clone()
            else:
                drawn[name] = initial_values(self.config, role, shape, rng)
        for name, shape in self.buffers.items():
            plain = torch.ones(shape) if name.endswith("running_var") else torch.zeros(shape)
            drawn[name] = given[name].clone() if name in given else plain
        return drawn

    def constructed(self, seed: int) -> dict[str, Tensor]:
        """Returns the values of ``left`` that the module's constructor draws from a seed.

        Raises:
            ConfigError: if the code of the network is not here.
        """
        with seeded(seed):
            module = self.make()
        held = dict(module.named_parameters()) | dict(module.named_buffers())
        found = {name: held[name].detach().clone().contiguous() for name in self.left}
        scale = self.config.init_scale
        if self.config.init == "module" and scale != 1.0:
            weights = [n for n, role in self.roles.items() if role not in UNSCALED]
            found |= {name: found[name] * scale for name in weights}
        return found


UNSCALED = ("bias", "norm", "module")
"""Roles of parameters that ``model.init_scale`` leaves as they are."""


def build(config: ModelConfig, shape: tuple[int, ...], classes: int) -> Network:
    """Returns the network of a configuration for pictures of a shape.

    Which weights can be pruned is decided by the type of their module, never by a name.

    Raises:
        ConfigError: if the network does not fit the pictures, or drops nothing although told to.
    """

    def make() -> nn.Module:
        return architecture(config, shape, classes)

    row = row_of_network(config.name)
    if isinstance(row, OwnNetwork):
        if config.dropout > 0:
            raise ConfigError(
                f"model.dropout must be 0 for {config.name}, whose own code decides about it, got "
                f"{config.dropout!r}"
            )
        outline = row.outline(shape, classes)
        own = {"source": row.source, **vars(outline)}
        return Network(make=make, config=config, pictures=shape, **own)
    with torch.device("meta"):
        module = make()
    if config.dropout > 0 and not any(isinstance(part, Dropout) for part in module.modules()):
        raise ConfigError(
            f"model.dropout must be 0 for {config.name}, which has no hidden fully connected "
            f"layers, got {config.dropout!r}"
        )
    return Network(make=make, config=config, pictures=shape, **vars(outline_of(module)))
