"""Masks and weights that another program wrote."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from lttune.errors import DataError
from lttune.exchange.tensors.files import Contents
from lttune.exchange.tensors.forms import BATCH_COUNTER
from lttune.exchange.tensors.matching import matched, unwrapped
from lttune.exchange.tensors.nesting import entries_told
from lttune.models import Network
from lttune.models.masks import Mask, Weights

MASK_NAMES = {
    "lttune, or a mapping of that name": re.compile(r"masks?\.(?P<name>.+)"),
    "torch.nn.utils.prune": re.compile(r"(?P<name>.+)_mask"),
    "a parametrization": re.compile(r"(?P<layer>.+)\.parametrizations\.(?P<own>\w+)\.\d+\.mask"),
    "torch.ao's sparsifier": re.compile(r"(?P<name>.+)\.mask"),
}
"""Who writes a mask so -> what its name is, and within that the masked tensor's."""
WEIGHT_NAMES = (
    re.compile(r"(?P<name>.+)_orig"),
    re.compile(r"(?P<layer>.+)\.parametrizations\.(?P<own>\w+)\.original"),
)
"""What the name of a tensor is that a mask is applied to."""


@dataclass(frozen=True, kw_only=True)
class FoundMasks:
    """Masks under the names of the program that wrote them."""

    masks: Mask
    ordered: bool
    """Whether they are in the order of a module."""
    source: str
    """What an error calls them."""

    def fitted(self, shapes: Mapping[str, tuple[int, ...]], ordered: bool = True) -> Mask:
        """Returns the mask of tensors of these names and shapes; what has none is dense.

        Args:
            shapes: of the tensors that can be pruned.
            ordered: whether they are in the order of a module.

        Raises:
            DataError: if layers do not match, or something is pruned that is not among them.
        """
        found = unwrapped(self.masks, shapes)
        inner = {n: keep for n, keep in found.items() if n in shapes or not keep.all()}
        if not inner.keys() <= shapes.keys():
            inner = found
        fitting = matched(inner, shapes, self.ordered and ordered, self.source)
        return {
            n: fitting.get(n, torch.ones(shape, dtype=torch.bool)) for n, shape in shapes.items()
        }

    def of(self, network: Network) -> Mask:
        """Returns the mask of a network's prunable weights; see ``fitted``."""
        return self.fitted({name: network.shapes[name] for name in network.prunable})


def masks_in(contents: Contents, source: str = "the masks") -> FoundMasks:
    """Returns the masks among tensors.

    Known are the names of ``MASK_NAMES``, the first of them that there are; else all tensors are
    masks if they hold 0 and 1 only, as in open_lth's ``mask.pth`` and NNI's files.

    Raises:
        DataError: if there are none, or a mask holds anything but 0 and 1.
    """
    tensors = contents.tensors
    found: dict[str, Tensor] = {}
    for form in MASK_NAMES.values():
        found = found or _named(tensors, form, source)
    if not found and all(_is_binary(value) for value in tensors.values()):
        found = tensors
    if not found:
        raise DataError(
            f"{source}: no mask is there; a state_dict has none, its zeros are not counted as one; "
            f"found {entries_told(tensors)}"
        )
    for name, value in found.items():
        if not _is_binary(value):
            raise DataError(f"{source}: the mask of {name} must hold 0 and 1 only")
    kept = {name: value.bool() for name, value in found.items()}
    return FoundMasks(masks=kept, ordered=contents.ordered, source=source)


def weights_in(contents: Contents, network: Network, source: str = "the weights") -> Weights:
    """Returns a network's weights and running moments among tensors, unmasked.

    Raises:
        DataError: if some are missing or do not match.
    """
    kept: dict[str, Tensor] = {}
    for name, value in contents.tensors.items():
        is_mask = any(form.fullmatch(name) for form in MASK_NAMES.values())
        if not is_mask and not name.endswith(BATCH_COUNTER):
            own = [_masked(form.fullmatch(name)) for form in WEIGHT_NAMES]
            kept[next(filter(None, own), name)] = value
    shapes = network.shapes | network.buffers
    weights = matched(kept, shapes, contents.ordered, source)
    if missing := [name for name in shapes if name not in weights]:
        raise DataError(f"{source}: {', '.join(missing)} of the network are not there")
    return {name: value.to(torch.float32) for name, value in weights.items()}


def _named(tensors: Mapping[str, Tensor], form: re.Pattern[str], source: str) -> dict[str, Tensor]:
    """Returns the masks whose names are of a form, under those of the masked tensors."""
    found: dict[str, Tensor] = {}
    for name, value in tensors.items():
        own = _masked(form.fullmatch(name))
        if own in found:
            raise DataError(f"{source}: {own} must have one mask, found another: {name}")
        if own is not None:
            found[own] = value
    return found


def _masked(found: re.Match[str] | None) -> str | None:
    """Returns the name of the masked tensor in that of its mask, or of its weights."""
    if found is None:
        return None
    parts = found.groupdict()
    return parts["name"] if "name" in parts else f"{parts['layer']}.{parts['own']}"


def _is_binary(value: Tensor) -> bool:
    return bool(((value == 0) | (value == 1)).all())
