"""Masks and weights that another program wrote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from lttune.errors import DataError
from lttune.exchange.tensors.files import Contents
from lttune.exchange.tensors.forms import BATCH_COUNTER
from lttune.exchange.tensors.matching import matched
from lttune.models import Network
from lttune.models.masks import Mask, Weights

PREFIX, SUFFIX, ORIGINAL = "mask.", "_mask", "_orig"


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
        inner = {n: keep for n, keep in self.masks.items() if n in shapes or not keep.all()}
        if not inner.keys() <= shapes.keys():
            inner = self.masks
        fitting = matched(inner, shapes, self.ordered and ordered, self.source)
        return {
            n: fitting.get(n, torch.ones(shape, dtype=torch.bool)) for n, shape in shapes.items()
        }

    def of(self, network: Network) -> Mask:
        """Returns the mask of a network's prunable weights; see ``fitted``."""
        return self.fitted({name: network.shapes[name] for name in network.prunable})


def masks_in(contents: Contents, source: str = "the masks") -> FoundMasks:
    """Returns the masks among tensors.

    Known are lttune's (``mask.NAME``), those of ``torch.nn.utils.prune`` (``NAME_mask``, also of a
    module's ``state_dict``) and open_lth's ``mask.pth``, where every tensor is a mask.

    Raises:
        DataError: if there are none, or a mask holds anything but 0 and 1.
    """
    tensors = contents.tensors
    found = {n.removeprefix(PREFIX): v for n, v in tensors.items() if n.startswith(PREFIX)}
    if not found:
        found = {n.removesuffix(SUFFIX): v for n, v in tensors.items() if n.endswith(SUFFIX)}
    if not found and all(_is_binary(value) for value in tensors.values()):
        found = tensors
    if not found:
        raise DataError(
            f"{source}: no mask is there; a state_dict has none, its zeros are not counted as one"
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
    kept = {
        name.removesuffix(ORIGINAL): value
        for name, value in contents.tensors.items()
        if not name.startswith(PREFIX) and not name.endswith((SUFFIX, BATCH_COUNTER))
    }
    shapes = network.shapes | network.buffers
    weights = matched(kept, shapes, contents.ordered, source)
    if missing := [name for name in shapes if name not in weights]:
        raise DataError(f"{source}: {', '.join(missing)} of the network are not there")
    return {name: value.to(torch.float32) for name, value in weights.items()}


def _is_binary(value: Tensor) -> bool:
    return bool(((value == 0) | (value == 1)).all())
