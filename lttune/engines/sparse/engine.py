"""The sparse engine: fully connected networks on one CPU core."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import llvmlite.binding
import numba
from torch import Tensor

from lttune.config import TrainConfig
from lttune.engines.sparse.pixels import PixelLists
from lttune.engines.sparse.plan import CROSSOVER
from lttune.engines.sparse.session import Session
from lttune.engines.sparse.support import supports
from lttune.errors import ResourceError
from lttune.masks import Mask
from lttune.models import Network
from lttune.training import Member, Trained, follow

KERNELS = 1
"""Version of the kernels: raised by every change that can change a bit of a result."""


class SparseEngine:
    """Trains one fully connected network after another, in compiled code without the GIL.

    Layers that keep many weights skip inputs that are zero, the others skip the pruned weights;
    ``CROSSOVER`` says from where on. Two runs on CPUs of one kind give the same bytes.

    Args:
        threads: of a worker. The kernels use one whatever it is, so results do not depend on it.
    """

    def __init__(self, threads: int = 1) -> None:
        cpu = llvmlite.binding.get_host_cpu_name()
        crossover = "-".join(f"{share:g}" for share in CROSSOVER)
        self.numerics = (
            f"sparse-{KERNELS}/numba-{numba.__version__}/{cpu}/float32/threads=1"
            f"/crossover={crossover}"
        )
        self._pixels = PixelLists()

    def groups(self, members: Sequence[Member]) -> list[list[int]]:
        """Returns one group for each member: together they would only share the processor."""
        return [[index] for index in range(len(members))]

    def train(self, members: Sequence[Member]) -> list[Trained]:
        """Trains one member after another by the protocol."""
        return [follow(self.open(m.network, m.start, m.mask, m.config), m) for m in members]

    def open(
        self, network: Network, start: Mapping[str, Tensor], mask: Mask, config: TrainConfig
    ) -> Session:
        """Returns a session that trains ``network`` from ``start`` under ``mask``.

        Raises:
            ResourceError: if the network is not one that ``supports`` approves.
        """
        if not supports(network):
            layers = ", ".join(network.kinds)
            raise ResourceError(
                "the sparse engine trains networks of flatten, linear and ReLU layers only; "
                f"use the torch engine for the one with layers {layers}"
            )
        return Session(network, start, mask, config, self._pixels)
