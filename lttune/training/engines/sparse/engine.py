"""The sparse engine: linear layers, convolutions and residual blocks on one CPU core."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numba
import numpy as np
import torch
from torch import Tensor

from lttune.config import ModelConfig, TrainConfig
from lttune.data.resident import Examples
from lttune.errors import ResourceError
from lttune.models import Network, build
from lttune.models.masks import Mask, ones
from lttune.models.own.draws import seed_of
from lttune.training.engines import plain
from lttune.training.engines.sparse.augmenting import AugmentingSession
from lttune.training.engines.sparse.blocks import BlockNode, nodes
from lttune.training.engines.sparse.instructions import cpu
from lttune.training.engines.sparse.instructions.cache import is_kept
from lttune.training.engines.sparse.kernels import program
from lttune.training.engines.sparse.network import Stage, beyond_kernels, stages
from lttune.training.engines.sparse.pixels import PixelLists
from lttune.training.engines.sparse.plan import CROSSOVER
from lttune.training.engines.sparse.session import SparseSession
from lttune.training.protocol import Member, Session, Trained, follow

KERNELS = 2
"""Version of the kernels: raised by every change that can change a bit of a result."""


class SparseEngine:
    """Trains one network after another, in compiled code without the GIL.

    Layers that keep many weights skip inputs that are zero, the others skip the pruned weights;
    ``CROSSOVER`` says from where on. Two runs on CPUs of one kind give the same bytes.

    Args:
        threads: of a worker. The kernels use one whatever it is, so results do not depend on it.
    """

    def __init__(self, threads: int = 1) -> None:
        # Everything around the kernels would wait for threads that wait for each other.
        torch.set_num_threads(threads)
        crossover = "-".join(f"{share:g}" for share in CROSSOVER)
        self.numerics = (
            f"sparse-{KERNELS}/numba-{numba.__version__}/{cpu.cpu_name()}/float32/threads=1"
            f"/crossover={crossover}{'' if is_kept(program.train) else '/uncached'}"
        )
        self._pixels = PixelLists()
        # To ask takes a millisecond, and all levels of a trajectory have one network.
        self._approved: Network | None = None
        self._stages: list[Stage] = []
        self._nodes: list[BlockNode] = []

    def groups(self, members: Sequence[Member]) -> list[list[int]]:
        """Returns one group for each member: together they would only share the processor."""
        return [[index] for index in range(len(members))]

    def train(self, members: Sequence[Member]) -> list[Trained]:
        """Trains one member after another by the protocol."""
        return [self._train(member) for member in members]

    def _train(self, m: Member) -> Trained:
        self._approve(m.network)
        began = time.perf_counter()
        return follow(self.open(m.network, m.start, m.mask, m.config, m.noise), m, began)

    def open(
        self,
        network: Network,
        start: Mapping[str, Tensor],
        mask: Mask,
        config: TrainConfig,
        noise: np.random.Generator | None = None,
    ) -> Session:
        """Returns a session that trains ``network`` from ``start`` under ``mask``.

        Args:
            network: the architecture.
            start: the weights; those outside the mask are left out.
            mask: which weights are trained.
            config: how.
            noise: stream of augmentation; without it pictures are not augmented.

        Raises:
            ResourceError: if ``beyond_kernels`` finds something in the network, or ``plain.beyond``
                in the training.
        """
        if lack := plain.beyond(config):
            raise ResourceError(f"the sparse engine {lack}; use the torch engine")
        self._approve(network)
        session = self._opened(network, start, mask, config)
        if noise is None:
            return session
        if network.source:
            # Nothing draws from PyTorch's generators here; but pictures are the torch engine's.
            seed_of(noise)
        return AugmentingSession(session, noise)

    def _opened(
        self, network: Network, start: Mapping[str, Tensor], mask: Mask, config: TrainConfig
    ) -> Session:
        """Returns the session of a kind of network that was approved."""
        if self._nodes:
            from lttune.training.engines.sparse.residual.session import ResidualSession

            return ResidualSession(network, self._nodes, start, mask, config, self._pixels)
        if not self._stages:
            return SparseSession(network, start, mask, config, self._pixels)
        from lttune.training.engines.sparse.convolutions.session import ConvolutionSession

        return ConvolutionSession(network, self._stages, start, mask, config, self._pixels)

    def _approve(self, network: Network) -> None:
        """Makes ready for a network.

        Raises:
            ResourceError: if ``beyond_kernels`` finds something in it.
        """
        if network is self._approved:
            return
        if lack := beyond_kernels(network):
            raise ResourceError(f"the sparse engine {lack}; use the torch engine")
        self._stages, self._nodes = stages(network), nodes(network)
        # Kernels of their own, which only networks that need them should wait for.
        if self._stages:
            from lttune.training.engines.sparse.convolutions import session

            session.compile_kernels()
        if self._nodes:
            from lttune.training.engines.sparse.residual import session as residual_session

            residual_session.compile_kernels()
        self._approved = network


def compile_kernels() -> None:
    """Compiles the kernels of all networks, or loads them from numba's cache.

    That takes about 20 seconds the first time on a machine, a fraction of one later. ``obstacle``
    calls it before workers are started together: each would compile for itself.
    """
    network = build(ModelConfig(name="lenet-2"), (4, 4), 2)
    start = {name: torch.zeros(shape) for name, shape in network.shapes.items()}
    mask, config = ones(start, network.prunable), TrainConfig()
    pictures, classes = torch.zeros(1, 4, 4, dtype=torch.uint8), torch.zeros(1, dtype=torch.int64)
    examples = Examples(pictures, classes, 0.0, 1.0)
    session = SparseEngine().open(network, start, mask, config)
    session.run(examples, [torch.zeros(1, dtype=torch.int64)], [config.lr])
    session.evaluate(examples)
