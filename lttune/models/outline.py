"""What an architecture is made of, without a value of its weights."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import nn

from lttune.models.layers import NORMS, kind


@dataclass(frozen=True, kw_only=True)
class Outline:
    """Names, shapes and uses of all that a module holds."""

    shapes: dict[str, tuple[int, ...]]
    """Parameter name -> shape, in the module's order."""
    kinds: dict[str, str]
    """Prunable layer -> kind: fc, conv, shortcut, or out for the one that gives the logits. A layer
    is called by its module; where its parameter is not called weight, as MODULE:PARAMETER."""
    roles: dict[str, str]
    """Parameter name -> the kind of its layer, bias, norm, or module: what only the network's own
    constructor can give a value."""
    buffers: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """Name -> shape of what an optimizer does not change: batch norm's running moments, and the
    constants of a network of one's own."""
    constants: tuple[str, ...] = ()
    """Those of the buffers whose values only the network's own constructor can give."""
    state: dict[str, str] = field(default_factory=dict)
    """Name in the module's ``state_dict`` -> the parameter or buffer whose value it has: another
    one's where several names share a tensor."""


def outline_of(module: nn.Module) -> Outline:
    """Returns the outline of a network of ours; its tensors may be without values."""
    modules = dict(module.named_modules())
    kinds = {name: kind(part) for name, part in modules.items()}
    return Outline(
        shapes={name: tuple(value.shape) for name, value in module.named_parameters()},
        kinds={name: found for name, found in kinds.items() if found is not None},
        roles={name: _role(name, modules) for name, _ in module.named_parameters()},
        buffers={
            name: tuple(value.shape)
            for name, value in module.named_buffers()
            if value.is_floating_point()
        },
        state={name: name for name in module.state_dict()},
    )


def _role(name: str, modules: dict[str, nn.Module]) -> str:
    layer, _, parameter = name.rpartition(".")
    if isinstance(modules[layer], NORMS):
        return "norm"
    found = kind(modules[layer])
    return found if parameter == "weight" and found is not None else "bias"
