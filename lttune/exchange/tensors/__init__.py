"""Tickets to and from plain PyTorch: state dicts, compact files, the masks of other pruners.

Files are safetensors or what ``torch.save`` wrote of a mapping of tensors; pickles are never run.
"""

from lttune.exchange.tensors.files import Contents, read, write
from lttune.exchange.tensors.forms import (
    TENSOR_FORMS,
    compact,
    mask_tensors,
    plain,
    pruned_module,
    smaller,
    torch_prune,
)
from lttune.exchange.tensors.imports import FoundMasks, masks_in, weights_in
from lttune.exchange.tensors.matching import matched
from lttune.exchange.tensors.smaller import layers_told, units_told

__all__ = [
    "TENSOR_FORMS",
    "Contents",
    "FoundMasks",
    "compact",
    "layers_told",
    "mask_tensors",
    "masks_in",
    "matched",
    "plain",
    "pruned_module",
    "read",
    "smaller",
    "torch_prune",
    "units_told",
    "weights_in",
    "write",
]
