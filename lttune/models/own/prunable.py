"""Which weights of a network of one's own can be pruned: by their module's type, or as told."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping
from typing import Any

from torch import nn

from lttune.errors import listed, quoted
from lttune.records.own import OwnCode

PROJECTIONS = frozenset({"in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight"})
"""Parameters of ``nn.MultiheadAttention`` that are matrices of linear maps, though no layer's."""
ROLES = ("bias", "norm", "module")
"""Words that say what a parameter is that no layer's kind may be called by."""


def prunable_kinds(
    code: OwnCode,
    module: nn.Module,
    shapes: Mapping[str, tuple[int, ...]],
    by_type: Mapping[str, str | None],
) -> dict[str, str]:
    """Returns parameter that can be pruned -> kind, in the module's order.

    A module may say so itself by its attribute ``prunable``: names of layers or parameters, those
    with their kinds as a mapping, or a method without arguments that returns either. What it says
    no kind of has that of its module, else conv with more than two dimensions and fc with two.

    Args:
        code: of the network.
        module: the network.
        shapes: of its parameters, by name.
        by_type: parameter -> kind by the type of its module; None is not prunable by itself.

    Raises:
        ConfigError: if it names what is not there, or nothing, or what is no matrix.
    """
    told = _told(code, module)
    if told is None:
        found = {n: one for n, one in by_type.items() if one is not None}
    else:
        named = {_parameter(code, n, shapes): one for n, one in told.items()}
        found = {
            n: named[n] or by_type[n] or ("conv" if len(shape) > 2 else "fc")
            for n, shape in shapes.items()
            if n in named
        }
    if flat := [n for n in found if len(shapes[n]) < 2]:
        code.refuse(f"must name matrices in `prunable`, got {listed(flat)}")
    if not found:
        code.refuse(
            "has no weights that can be pruned: none of nn.Linear, nn.Conv1d to 3d or "
            "nn.MultiheadAttention; name them in the module's `prunable`",
        )
    return found


def _told(code: OwnCode, module: nn.Module) -> dict[str, str | None] | None:
    """Returns what a module says of itself, with or without kinds; None if it says nothing."""
    try:
        told = _said(module)
    except (Exception, SystemExit) as error:
        code.failed("does not say what can be pruned", error)
    if told is None:
        return None
    if not isinstance(told, dict | list):
        code.refuse(f"must have a list of names as `prunable`, got {quoted(told)}")
    pairs = [*told.items()] if isinstance(told, dict) else [(one, None) for one in told]
    for one, kind in pairs:
        ok = isinstance(one, str) and (kind is None or isinstance(kind, str))
        if not ok or (kind is not None and (kind in ROLES or not re.fullmatch(r"[a-z_]+", kind))):
            code.refuse(f"must name parameters and kinds in `prunable`, got {quoted(told)}")
    return dict(pairs)


def _said(module: nn.Module) -> Any:
    """Returns a module's ``prunable`` as a list or dictionary, else as it is; None of no such."""
    try:
        told: Any = module.prunable
    except AttributeError:
        # One that a property raised is hidden behind that of nn.Module, which looks on.
        found: Any = inspect.getattr_static(type(module), "prunable", None)
        if found is None:
            return None
        told = found.__get__(module, type(module))
    if callable(told):
        told = told()
    if isinstance(told, Mapping):
        return dict(told)
    return list(told) if isinstance(told, Iterable) and not isinstance(told, str) else told


def _parameter(code: OwnCode, one: str, shapes: Mapping[str, tuple[int, ...]]) -> str:
    """Returns the parameter that a name stands for: itself, or a layer's weight."""
    found = next((known for known in (one, f"{one}.weight") if known in shapes), None)
    if found is None:
        code.refuse(f"has no parameter {quoted(one)}, which its `prunable` names")
    return found
