"""Tensors that somebody's code gave."""

from __future__ import annotations

from typing import TypeGuard

import torch
from torch import Tensor

from lttune.errors import quoted


def has_values(given: object) -> TypeGuard[Tensor]:
    """Returns whether something is a dense tensor: sparse ones and those of "meta" have no rows."""
    return isinstance(given, Tensor) and not given.is_meta and given.layout == torch.strided


def told(given: object) -> str:
    """Returns a value as a message shows it; of a tensor its kind, since it may be large."""
    if not isinstance(given, Tensor):
        return quoted(given)
    if given.is_meta:
        return "one without values"
    return f"one of {given.dtype if given.layout == torch.strided else given.layout}"
