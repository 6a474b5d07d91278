"""Tensors that lie one mapping deeper than those of a state dict, as other programs save them.

So do those of a trainer's checkpoint (``{"state_dict": {...}, "epoch": 3}``), the masks of NNI
(``{"fc1": {"weight": ...}}``) and the state of a sparsifier of torch.ao.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from torch import Tensor

from lttune.errors import quoted

MOST_TOLD = 6
"""Entries of a file that a message names."""


def tensors_by_name(values: object) -> dict[str, Tensor] | None:
    """Returns the tensors of a state dict, or of the mappings that lie in one.

    Those of several mappings, and of a layer's, are called by both names: "fc1.weight". Entries
    beside them that are no tensors, or single numbers, are left out.

    Args:
        values: what a file holds.

    Returns:
        name -> tensor in the order of the file, None if there are none such.
    """
    flat = _flat(values)
    if flat is not None or not isinstance(values, Mapping):
        return flat
    inner = {name: _flat(value) or _sparsified(value) for name, value in values.items()}
    parts = {name: part for name, part in inner.items() if part and isinstance(name, str)}
    beside = {name: value for name, value in values.items() if isinstance(value, Tensor)}
    beside = {str(name): value for name, value in beside.items() if value.dim() > 0}
    if not parts:
        return None
    if len(parts) == 1 and not beside:
        (part,) = parts.values()
        if all("." in name for name in part):
            return part
    whole = {f"{name}.{own}": value for name, part in parts.items() for own, value in part.items()}
    return beside | whole


def entries_told(values: object) -> str:
    """Returns what a file holds, for a message: its first names, and what each is of."""
    if not isinstance(values, Mapping):
        return f"a {type(values).__name__}"
    told = [f"{quoted(name)} ({_kind(value)})" for name, value in _first(values)]
    more = [f"{len(values) - MOST_TOLD} more"] if len(values) > MOST_TOLD else []
    return ", ".join(told + more) or "nothing"


def _first(values: Mapping[Any, Any]) -> list[tuple[Any, Any]]:
    return list(islice(values.items(), MOST_TOLD))


def _kind(value: object) -> str:
    if isinstance(value, Tensor):
        return "nested" if value.is_nested else "x".join(map(str, value.shape)) or "one number"
    return f"mapping of {len(value)}" if isinstance(value, Mapping) else type(value).__name__


def _flat(value: object) -> dict[str, Tensor] | None:
    """Returns a mapping of names to tensors as one; None stands for no tensor."""
    if not isinstance(value, Mapping):
        return None
    there = {name: own for name, own in value.items() if own is not None}
    if all(isinstance(n, str) and isinstance(own, Tensor) for n, own in there.items()):
        return {name: own.detach() for name, own in there.items()}
    return None


def _sparsified(value: object) -> dict[str, Tensor] | None:
    """Returns the masks of a mapping of names to mappings with a mask, as NAME.mask."""
    if not isinstance(value, Mapping):
        return None
    masks = {n: own.get("mask") if isinstance(own, Mapping) else None for n, own in value.items()}
    return _flat({f"{name}.mask": keep for name, keep in masks.items()})
