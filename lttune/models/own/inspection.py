"""What a network of one's own is made of, seen from a pass forwards and one backwards.

What could not be trained truthfully is refused with the reason, before a study starts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.parameter import UninitializedParameter

from lttune.errors import listed
from lttune.models.initialisers import Shape
from lttune.models.layers import NORMS, Output, kind, layer_name
from lttune.models.outline import Outline
from lttune.models.own.draws import seeded
from lttune.models.own.prunable import PROJECTIONS, prunable_kinds
from lttune.records.own import OwnCode

EXAMPLES = 2
"""Random pictures of a pass; batch norm needs two."""
COUNTER = "num_batches_tracked"
"""Batch norm's own step counter, which nothing reads."""
RUNNING = ("running_mean", "running_var")
"""Batch norm's moments, which training moves."""

Owners = dict[str, list[tuple[nn.Module, str]]]
"""Parameter -> the modules that hold it, and as what; several where it is shared."""


def inspected(code: OwnCode, make: Callable[[], nn.Module], shape: Shape, classes: int) -> Outline:
    """Returns the outline of a network.

    Args:
        code: of the network.
        make: returns a new module, its values on the CPU.
        shape: of a picture.
        classes: logits.

    Raises:
        ConfigError: with what of it cannot be trained.
    """
    with seeded(0):
        module = make()
    _require_plain(code, module)
    owners = _owners(module)
    by_type = {found: _kind(own) for found, own in owners.items()}
    called, unused = _passed(code, module, shape, classes)
    out = _output(module, called, classes)
    outputs = [n for n, own in owners.items() if any(one == (out, "weight") for one in own)]
    by_type |= dict.fromkeys(outputs, "out")
    prunable = prunable_kinds(code, module, {n: tuple(v.shape) for n, v in _named(module)}, by_type)
    if idle := [one for one in prunable if one in unused]:
        code.refuse(
            f"does not use {listed(idle)} for its logits: pruning would count weights that do "
            "nothing; leave them out, or name what can be pruned in the module's `prunable`",
        )
    names = _first_names(module)
    found = Outline(
        shapes={n: tuple(v.shape) for n, v in _named(module)},
        kinds={layer_name(n): one for n, one in prunable.items()},
        roles={n: _role(own, by_type[n]) for n, own in owners.items()},
        buffers={n: tuple(v.shape) for n, v in module.named_buffers() if not n.endswith(COUNTER)},
        constants=tuple(_constants(module)),
        state={n: names[n] for n in module.state_dict()},
    )
    with seeded(0):
        again = make()
    if {n: tuple(v.shape) for n, v in _named(again)} != found.shapes:
        code.refuse("must be the same network whenever it is made, got other parameters")
    return found


def _named(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    return iter(module.named_parameters())


def _require_plain(code: OwnCode, module: nn.Module) -> None:
    """Checks that all that a module holds can be flattened, masked and stored."""
    for one, value in _named(module):
        if isinstance(value, UninitializedParameter):
            code.refuse(f"must give every parameter its shape when it is made, {one} has none")
        if value.dtype != torch.float32 or value.device.type != "cpu":
            what = f"{one} of {value.dtype} on {value.device}"
            code.refuse(f"must have parameters of float32 on the CPU, got {what}")
    if not any(True for _ in _named(module)):
        code.refuse("has no parameters that are trained")
    known = _first_names(module)
    for one in module.state_dict():
        if one not in known or not re.fullmatch(r"[\w.]+", one):
            code.refuse(f"must keep its state in parameters and buffers, got {one!r}")
    odd = [n for n, v in module.named_buffers() if v.is_complex() or v.is_quantized]
    if odd:
        code.refuse(f"must have buffers of real numbers, got others in {listed(odd)}")


def _first_names(module: nn.Module) -> dict[str, str]:
    """Returns each name of a parameter or buffer -> the first name of the same tensor."""
    first: dict[int, str] = {}
    names: dict[str, str] = {}
    held = [
        *module.named_parameters(remove_duplicate=False),
        *module.named_buffers(remove_duplicate=False),
    ]
    for name, value in held:
        names[name] = first.setdefault(id(value), name)
    return names


def _owners(module: nn.Module) -> Owners:
    names = {id(value): name for name, value in _named(module)}
    owners: Owners = {name: [] for name in names.values()}
    for part in module.modules():
        for own, value in part.named_parameters(recurse=False, remove_duplicate=False):
            owners[names[id(value)]].append((part, own))
    return owners


def _kind(owners: list[tuple[nn.Module, str]]) -> str | None:
    """Returns the kind of a parameter that can be pruned by the type of its module, else None."""
    for part, own in owners:
        found = kind(part) if own == "weight" else None
        if isinstance(part, nn.MultiheadAttention) and own in PROJECTIONS:
            found = "fc"
        if found is not None:
            return found
    return None


def _role(owners: list[tuple[nn.Module, str]], by_type: str | None) -> str:
    part, own = owners[0]
    if isinstance(part, NORMS):
        return "norm"
    if by_type is not None:
        return by_type
    return "bias" if kind(part) is not None and own == "bias" else "module"


def _constants(module: nn.Module) -> Iterator[str]:
    """Yields the buffers but batch norm's moments, and counters; its frozen scale is one."""
    for name, _ in module.named_buffers():
        where, _, own = name.rpartition(".")
        is_moment = own in RUNNING and isinstance(module.get_submodule(where), NORMS)
        if not is_moment and not name.endswith(COUNTER):
            yield name


def _passed(
    code: OwnCode, module: nn.Module, shape: Shape, classes: int
) -> tuple[list[nn.Module], set[str]]:
    """Passes random pictures through a module.

    Returns:
        The layers in the order in which they were called, and the parameters without a gradient.
    """
    called: list[nn.Module] = []
    hooks = [
        part.register_forward_hook(lambda part, *_: called.append(part))
        for part in module.modules()
        if kind(part) is not None
    ]
    before = dict(module.named_buffers())
    with seeded(1), torch.enable_grad():
        pictures = torch.randn(EXAMPLES, *shape)
        for training in (True, False):
            called.clear()
            module.train(training)
            logits = _logits(code, module, pictures, classes)
            if training:
                _attempt(code, partial(_backward, logits))
    for hook in hooks:
        hook.remove()
    after = dict(module.named_buffers())
    moved = [n for n, value in before.items() if after.get(n) is not value]
    if moved or len(after) != len(before):
        what = listed(moved or sorted(after.keys() - before.keys()))
        code.refuse(f"must change its buffers in place, and puts others there: {what}")
    return called, {n for n, value in _named(module) if value.grad is None}


def _logits(code: OwnCode, module: nn.Module, pictures: Tensor, classes: int) -> Tensor:
    logits = _attempt(code, lambda: module(pictures))
    wanted = (len(pictures), classes)
    got = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
    if got != wanted or not logits.is_floating_point():
        mode = "training" if module.training else "evaluation"
        code.refuse(f"must return logits of shape {wanted} in {mode}, got {got}")
    return logits


def _backward(logits: Tensor) -> None:
    functional.cross_entropy(logits, torch.arange(len(logits)) % logits.shape[1]).backward()


def _attempt(code: OwnCode, run: Callable[[], Tensor | None]) -> Tensor:
    try:
        return run()  # pyright: ignore[reportReturnType]
    # What a stranger's module raises has no common class, and it may end itself.
    except (Exception, SystemExit) as error:
        code.failed("cannot be trained", error)


def _output(module: nn.Module, called: list[nn.Module], classes: int) -> nn.Module | None:
    """Returns the layer of the logits: an ``Output``, else the last called with so many outputs."""
    typed = [part for part in module.modules() if isinstance(part, Output)]
    wide = [part for part in called if _width(part) == classes]
    return next(reversed([*wide, *typed]), None)


def _width(part: nn.Module) -> int:
    weight = getattr(part, "weight", None)
    return len(weight) if isinstance(weight, Tensor) else 0
