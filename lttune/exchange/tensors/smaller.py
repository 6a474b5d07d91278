"""The smaller form of a ticket: a dense network without the units that do nothing.

A unit is a channel of a convolution or an output of a fully connected layer. It can go if it is
constant, because nothing that varies leads into it, or if nothing reads it. What a constant unit
adds to the next layer goes into that layer's biases; before a padded convolution, where it adds
less at the border, one such unit stays and stands for all.

This is for layers in a row. What a residual connection adds up or a concatenation joins are units
of several layers, which could only go together: such networks are refused.

Shape suffixes: U units of a layer, R of the layer that reads them, C columns of a unit there (the
pixels of its kernel, or of its map where that is flattened).
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from lttune.errors import ConfigError
from lttune.models import Network
from lttune.models.layers import Dropout

SIZES: dict[type[nn.Module], tuple[str, ...]] = {
    nn.Linear: ("out_features", "in_features"),
    nn.Conv2d: ("out_channels", "in_channels"),
    nn.BatchNorm2d: ("num_features",),
}
"""Class of a layer -> its arguments that are the first edges of its weight."""
ARGUMENTS: dict[type[nn.Module], tuple[str, ...]] = {
    nn.Linear: (),
    nn.Conv2d: ("kernel_size", "stride", "padding"),
    nn.BatchNorm2d: ("eps",),
    nn.ReLU: (),
    nn.MaxPool2d: ("kernel_size", "stride", "padding"),
    nn.AdaptiveAvgPool2d: ("output_size",),
    nn.Flatten: (),
    nn.Unflatten: ("dim", "unflattened_size"),
    Dropout: ("p",),
}
"""Class of a layer that may stand in the row -> its other arguments. All but those with weights
leave a constant as it is, a ReLU unless it is negative."""


@dataclass(kw_only=True)
class _Part:
    """A layer with weights, and what follows up to the next."""

    name: str
    module: nn.Linear | nn.Conv2d
    weight: Tensor
    """float64, [U, inputs, ...]."""
    bias: Tensor | None
    """float64, [U]."""
    kept: Tensor
    """Units of the dense layer that are left (int64, [U])."""
    following: dict[str, nn.Module] = field(default_factory=dict)

    def columns(self, units: int) -> Tensor:
        """Returns the weights by the units that they read (a view, [R, U, C])."""
        return self.weight.view(len(self.weight), units, -1)

    @property
    def is_padded(self) -> bool:
        return isinstance(self.module, nn.Conv2d) and self.module.padding != (0, 0)


def without_idle_units(dense: Mapping[str, Tensor], network: Network) -> dict[str, Tensor]:
    """Returns the state dict of the network without the units that do nothing.

    In evaluation its outputs are those of the dense one, to rounding. ``layers_told`` says which
    layers it is of.

    Args:
        dense: the network's state dict, zero where it is pruned.
        network: the architecture.

    Raises:
        ConfigError: if the network is none of ours, or not of layers in a row.
    """
    parts = _parts(_in_a_row(network), dense)
    pairs = list(itertools.pairwise(parts))
    for part, reader in pairs:
        constant = ~part.weight.flatten(1).any(1)
        idle = _passed_on(constant, _outputs_of_bias(part, dense), part, reader)
        _remove(idle, part, reader)
    for part, reader in reversed(pairs):
        unread = ~reader.columns(len(part.weight)).any(2).any(0)
        _remove(unread, part, reader)
    return _written(parts, dense)


def layers_told(tensors: Mapping[str, Tensor], network: Network) -> str:
    """Returns what ``torch.nn`` makes a smaller network of: [name, class, arguments] each, as JSON.

    Args:
        tensors: what ``without_idle_units`` returned.
        network: of which.
    """
    told = []
    for name, module in _in_a_row(network).items():
        base = next(base for base in ARGUMENTS if isinstance(module, base))
        given = {argument: getattr(module, argument) for argument in ARGUMENTS[base]}
        if base in SIZES:
            given |= dict(zip(SIZES[base], tensors[f"{name}.weight"].shape, strict=False))
        if base in (nn.Linear, nn.Conv2d):
            given["bias"] = f"{name}.bias" in tensors
        told.append([name, base.__name__, given])
    return json.dumps(told)


def units_told(tensors: Mapping[str, Tensor], network: Network) -> str:
    """Returns how many units of each layer, and parameters, a smaller network has, in words."""
    layers = [
        f"{name} {len(tensors[f'{name}.weight'])} of {network.shapes[f'{name}.weight'][0]}"
        for name, module in _in_a_row(network).items()
        if isinstance(module, nn.Linear | nn.Conv2d)
    ]
    left = sum(tensors[name].numel() for name in network.shapes if name in tensors)
    return (
        f"units: {', '.join(layers)}; parameters: {left:,} of "
        f"{sum(map(math.prod, network.shapes.values())):,}"
    )


def _in_a_row(network: Network) -> dict[str, nn.Module]:
    """Returns a network's layers by name, in the order in which they are computed."""
    name = network.config.name
    if network.source:
        raise ConfigError(f"form must not be smaller for {name}, whose code is not lttune's own")
    module = network.opened("meta")
    layers = dict(module.named_children()) if isinstance(module, nn.Sequential) else {}
    if not layers or not all(isinstance(layer, tuple(ARGUMENTS)) for layer in layers.values()):
        raise ConfigError(
            f"form must not be smaller for {name}, whose layers are not in a row: units that a "
            "residual connection adds up or a concatenation joins could only go together"
        )
    return layers


def _parts(layers: Mapping[str, nn.Module], dense: Mapping[str, Tensor]) -> list[_Part]:
    parts: list[_Part] = []
    for name, module in layers.items():
        if isinstance(module, nn.Linear | nn.Conv2d):
            weight, bias = dense[f"{name}.weight"].double(), dense.get(f"{name}.bias")
            bias = None if bias is None else bias.double()
            units = torch.arange(len(weight))
            parts.append(_Part(name=name, module=module, weight=weight, bias=bias, kept=units))
        elif parts:
            parts[-1].following[name] = module
    return parts


def _outputs_of_bias(part: _Part, dense: Mapping[str, Tensor]) -> Tensor:
    """Returns what the next layer sees of units that only their bias leads into (float64, [U])."""
    value = torch.zeros(len(part.weight), dtype=torch.float64) if part.bias is None else part.bias
    for name, module in part.following.items():
        if isinstance(module, nn.BatchNorm2d):
            mean, variance, scale, shift = (
                dense[f"{name}.{what}"][part.kept].double()
                for what in ("running_mean", "running_var", "weight", "bias")
            )
            value = (value - mean) / (variance + module.eps).sqrt() * scale + shift
        elif isinstance(module, nn.ReLU):
            value = value.relu()
    return value


def _passed_on(constant: Tensor, value: Tensor, part: _Part, reader: _Part) -> Tensor:
    """Has the reader do what constant units do in it; returns which are idle now (bool, [U])."""
    columns_RUC = reader.columns(len(part.weight))
    heard = constant & (value != 0)
    idle = constant.clone()
    if not heard.any():
        return idle
    if reader.is_padded:
        speaker = int((value.abs() * heard).argmax())
        shares = torch.where(heard, value / value[speaker], 0.0)
        columns_RUC[:, speaker] = torch.einsum("ruc,u->rc", columns_RUC, shares)
        idle[speaker] = False
    else:
        added = torch.einsum("ruc,u->r", columns_RUC, torch.where(heard, value, 0.0))
        reader.bias = added if reader.bias is None else reader.bias + added
        # Of the one that stays where all are idle nothing may be counted twice.
        columns_RUC[:, heard] = 0.0
    return idle


def _remove(idle: Tensor, part: _Part, reader: _Part) -> None:
    """Takes units (bool, [U]) out of a layer and of the one that reads it; one is always left."""
    stays = ~idle
    stays[0] |= bool(idle.all())
    edges = reader.weight.shape
    columns = reader.columns(len(stays))[:, stays]
    is_flat = isinstance(reader.module, nn.Linear)
    reader.weight = columns.flatten(1) if is_flat else columns.reshape(edges[0], -1, *edges[2:])
    part.weight, part.kept = part.weight[stays], part.kept[stays]
    part.bias = None if part.bias is None else part.bias[stays]


def _written(parts: list[_Part], dense: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns the state dict of what is left, in the types of the dense one."""
    tensors = dict(dense)
    for part in parts:
        of_type = dense[f"{part.name}.weight"].dtype
        tensors[f"{part.name}.weight"] = part.weight.to(of_type)
        if part.bias is not None:
            tensors[f"{part.name}.bias"] = part.bias.to(of_type)
        for name, module in part.following.items():
            if isinstance(module, nn.BatchNorm2d):
                for what in ("weight", "bias", "running_mean", "running_var"):
                    tensors[f"{name}.{what}"] = dense[f"{name}.{what}"][part.kept]
    return tensors
