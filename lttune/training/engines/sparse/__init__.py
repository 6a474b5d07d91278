"""The sparse engine: a step costs the less, the fewer weights survive.

This package can be imported without numba. ``lttune.training.engines.sparse.engine`` cannot: ask
``lack(needs)`` first, or ``obstacle()`` alone.
"""

from __future__ import annotations

from lttune.errors import ResourceError
from lttune.training.engines import plain
from lttune.training.engines.needs import Needs
from lttune.training.engines.sparse import blocks, network
from lttune.training.engines.sparse.obstacle import obstacle
from lttune.training.protocol import Engine

__all__ = ["lack", "make", "obstacle", "warm"]


def lack(needs: Needs) -> str:
    """Returns why the engine cannot train what is needed, "" if it can.

    Whether numba works is asked last, since that compiles the kernels.
    """
    if needs.device != "cpu":
        return "it computes on the CPU only"
    if reason := plain.lack(needs, network.beyond_kernels):
        return f"it {reason}"
    residual = [bool(blocks.nodes(one)) for one in needs.networks]
    convolutional = [bool(network.stages(one)) for one in needs.networks]
    alike = all(isinstance(dataset.mean, float) for dataset in needs.datasets)
    by_channel = [any(kinds) for kinds in zip(residual, convolutional, strict=True)]
    if not alike and not (by_channel and all(by_channel)):
        return "it scales all pixels alike"
    return obstacle(convolutional=any(convolutional), residual=any(residual))


def make(device: str) -> Engine:
    """Returns the engine, whose kernels use one thread of the CPU.

    Raises:
        ResourceError: if another device is asked for.
    """
    if device != "cpu":
        raise ResourceError(f"the sparse engine computes on the CPU only, got {device!r}")
    # Compiled kernels: only a study that uses them should wait for numba.
    from lttune.training.engines.sparse.engine import SparseEngine

    return SparseEngine()


def warm() -> None:
    """Compiles the kernels of all networks, or loads them from numba's cache."""
    from lttune.training.engines.sparse.engine import compile_kernels

    compile_kernels()
