"""Tensors that somebody's code gave."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeGuard

import torch
from torch import Tensor

from lttune.errors import quoted
from lttune.records.own import OwnPart


def has_values(given: object) -> TypeGuard[Tensor]:
    """Returns whether something is a dense tensor: sparse ones and those of "meta" have no rows."""
    return isinstance(given, Tensor) and not given.is_meta and given.layout == torch.strided


def given_tensor(
    part: OwnPart,
    given: object,
    shape: torch.Size,
    is_of_kind: Callable[[Tensor], bool],
    kind: str,
    whole: str,
) -> Tensor:
    """Returns a tensor that a function of one's own gave.

    Args:
        part: the function.
        given: what it gave.
        shape: which the tensor must have.
        is_of_kind: whether its values are such as they must be.
        kind: what it must give, as a message says it.
        whole: likewise, of the shape.

    Raises:
        ConfigError: if it is none, or one of another kind or shape.
    """
    if not has_values(given) or not is_of_kind(given):
        part.refuse(f"must {kind}, got {told(given)}")
    if given.shape != shape:
        part.refuse(f"must {whole}, {tuple(shape)}, got {tuple(given.shape)}")
    return given


def is_real(given: Tensor) -> bool:
    """Returns whether a tensor's values are real numbers."""
    return not given.is_complex()


def told(given: object) -> str:
    """Returns a value as a message shows it; of a tensor its kind, since it may be large."""
    if not isinstance(given, Tensor):
        return quoted(given)
    if given.is_meta:
        return "one without values"
    return f"one of {given.dtype if given.layout == torch.strided else given.layout}"
