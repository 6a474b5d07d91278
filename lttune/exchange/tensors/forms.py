"""The forms in which a ticket leaves: a ``state_dict`` of several kinds, or a pruned module."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from lttune.errors import ConfigError
from lttune.exchange.tensors.packing import in_parts
from lttune.exchange.tensors.smaller import without_idle_units
from lttune.models import Network
from lttune.models.masks import Mask, Weights

BATCH_COUNTER = "num_batches_tracked"
"""Batch norm's own step counter, which is neither a weight nor a moment."""

TensorForm = Callable[[Weights, Mask, Network, int], dict[str, Tensor]]


def plain(weights: Weights, mask: Mask, network: Network, steps: int) -> dict[str, Tensor]:
    """Returns what ``module.load_state_dict`` takes, under the names of the architecture.

    Args:
        weights: parameters and running moments; exactly zero outside the mask unless the
            trajectory holds pruned weights at a value.
        mask: not read; the zeros are in the weights.
        network: the architecture.
        steps: optimizer steps behind the weights, batch norm's ``num_batches_tracked``.
    """
    return {
        # Names that share a tensor have one each in a file.
        name: torch.tensor(steps) if name.endswith(BATCH_COUNTER) else weights[held].clone()
        for name, held in network.state.items()
    }


def torch_prune(weights: Weights, mask: Mask, network: Network, steps: int) -> dict[str, Tensor]:
    """Returns the ``state_dict`` of a module under ``torch.nn.utils.prune``.

    Each masked tensor NAME is NAME_orig and NAME_mask, the mask in the tensor's type as torch
    makes it. Other arguments as of ``plain``.

    Raises:
        ConfigError: if pruned weights are held at a value: such a module would make them zero.
    """
    _require_zeros(weights, mask, "torch.nn.utils.prune makes them zero")
    tensors: dict[str, Tensor] = {}
    for name, value in plain(weights, mask, network, steps).items():
        if name in mask:
            tensors[f"{name}_orig"] = value
            tensors[f"{name}_mask"] = mask[name].to(value.dtype)
        else:
            tensors[name] = value
    return tensors


def compact(weights: Weights, mask: Mask, network: Network, steps: int) -> dict[str, Tensor]:
    """Returns what ``plain`` does, of each masked tensor its survivors and the bits of its mask.

    Arguments as of ``plain``; ``packing`` says what the parts are.

    Raises:
        ConfigError: if pruned weights are held at a value, which is not in these parts.
    """
    _require_zeros(weights, mask, "a compact file has only survivors")
    return in_parts(plain(weights, mask, network, steps), mask)


def smaller(weights: Weights, mask: Mask, network: Network, steps: int) -> dict[str, Tensor]:
    """Returns what ``plain`` does of a dense network without the units that do nothing.

    Arguments as of ``plain``.

    Raises:
        ConfigError: if the network is none of ours, or not of layers in a row.
    """
    return without_idle_units(plain(weights, mask, network, steps), network)


def _require_zeros(weights: Weights, mask: Mask, reason: str) -> None:
    if any(weights[name][~keep].any() for name, keep in mask.items()):
        raise ConfigError(f"form must be state-dict where pruned weights hold a value; {reason}")


TENSOR_FORMS: dict[str, TensorForm] = {
    "state-dict": plain,
    "torch-prune": torch_prune,
    "compact": compact,
    "smaller": smaller,
}
"""Name of a form -> what it makes of a ticket."""


def mask_tensors(mask: Mask) -> dict[str, Tensor]:
    """Returns a mask as bool tensors named ``mask.NAME``, for a file of its own."""
    return {f"mask.{name}": keep for name, keep in mask.items()}


def pruned_module(weights: Weights, mask: Mask, network: Network, steps: int) -> nn.Module:
    """Returns a module that holds the weights under ``torch.nn.utils.prune``'s masks.

    Arguments as of ``plain``. ``torch.nn.utils.prune.remove`` makes it plain again.
    """
    module = network.make()
    module.load_state_dict(plain(weights, mask, network, steps))
    for name, keep in mask.items():
        layer, _, parameter = name.rpartition(".")
        prune.custom_from_mask(module.get_submodule(layer), parameter, keep)
    return module
