"""What the sparse engine needs: numba, and a fully connected ReLU network."""

from __future__ import annotations

from importlib import import_module

import torch
from torch import nn

from lttune.models import Network

MOST_INPUTS = 1 << 16
"""A lit pixel's place is a uint16."""


def obstacle() -> str:
    """Returns why the kernels cannot be used in this process, "" if they can.

    It imports and compiles them: being installed, numba may still refuse to work, for instance with
    a NumPy that is newer than itself. The first time on a machine that takes about 20 seconds, and
    spares every worker doing the same; later they come from numba's cache, in a second.
    """
    try:
        import_module("lttune.engines.sparse.engine").warm()
    except ModuleNotFoundError as error:
        if error.name == "numba":
            return "numba is not installed"
        return _unusable(error)
    except Exception as error:  # What numba, LLVM and their loaders raise has no common class.
        return _unusable(error)
    return ""


def _unusable(error: Exception) -> str:
    first, *_ = [*str(error).splitlines(), ""]
    return f"numba does not work here ({type(error).__name__}: {first})"


def supports(network: Network) -> bool:
    """Returns whether a network is flatten, then linear layers with biases and ReLU between.

    The layers must be in the order of ``network.kinds``, all with a prunable weight.
    """
    with torch.device("meta"):
        module = network.make()
    parts = [part for part in module.modules() if not list(part.children())]
    linear = [part for part in parts if isinstance(part, nn.Linear)]
    names = [name for name, part in module.named_modules() if isinstance(part, nn.Linear)]
    kinds = [nn.Flatten, *[nn.Linear, nn.ReLU] * len(linear)][:-1]
    return (
        isinstance(module, nn.Sequential)
        and len(parts) == len(kinds)
        and all(isinstance(part, kind) for part, kind in zip(parts, kinds, strict=True))
        and names == list(network.kinds)
        and all(part.bias is not None for part in linear)
        and linear[0].in_features <= MOST_INPUTS
    )
