"""Which engine trains a study's networks."""

from __future__ import annotations

from lttune.engines import sparse, stacked
from lttune.engines.torch import TorchEngine
from lttune.errors import ResourceError
from lttune.models import Network
from lttune.training import Engine

ENGINES = ("torch", "sparse", "stacked")
GANG = 8
"""Members that the stacked engine of a study trains at once: replicates and controls of a trial."""


def choose(name: str, network: Network, device: str) -> tuple[str, str]:
    """Returns the engine for a network, and why it is not the fast one ("" if it is).

    Args:
        name: auto, or the engine that the user asked for.
        network: the base architecture.
        device: cpu or cuda.

    Raises:
        ResourceError: if the engine that was asked for cannot train this network here.
    """
    reason = ""
    if device != "cpu":
        reason = "it computes on the CPU only"
    elif not sparse.available():
        reason = "numba is not installed"
    elif not sparse.supports(network):
        reason = "it trains fully connected networks only"
    if name == "auto":
        return ("torch", reason) if reason else ("sparse", "")
    if name == "sparse" and reason:
        raise ResourceError(f"engine must be torch here: sparse was asked for, but {reason}")
    if name == "stacked" and not stacked.supports(network):
        raise ResourceError(
            "engine must be torch here: stacked was asked for, but it trains fully connected "
            "networks only"
        )
    return name, ""


def make(name: str, device: str) -> Engine:
    """Returns an engine of ``ENGINES``, on one thread.

    Raises:
        ResourceError: if the device is absent.
    """
    if name == "sparse":
        # Compiled kernels: only a study that uses them should wait for numba.
        from lttune.engines.sparse.engine import SparseEngine

        return SparseEngine()
    if name == "stacked":
        return stacked.StackedEngine(device=device, gang=GANG)
    return TorchEngine(device=device)
