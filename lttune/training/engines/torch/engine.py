"""The engine: one network after another, each in a session of its own."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from lttune.config import TrainConfig
from lttune.errors import ResourceError, unknown
from lttune.models import Network
from lttune.models.masks import Mask
from lttune.training.engines.processor import device_of, processor
from lttune.training.engines.torch.session import TorchSession
from lttune.training.engines.torch.supermask import SupermaskSession
from lttune.training.protocol import Member, Trained, follow


class TorchEngine:
    """Trains one network after another with PyTorch.

    Args:
        device: "cpu" or "cuda".
        threads: of a worker, on the CPU; another number gives other bits.

    Raises:
        ConfigError: if there is no such device.
        ResourceError: if CUDA is asked for and absent.
    """

    def __init__(self, device: str = "cpu", threads: int = 1) -> None:
        self.device = device_of(device)
        torch.set_num_threads(threads)
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True
        threaded = f"/threads={threads}" if self.device.type == "cpu" else ""
        version = torch.__version__.partition("+")[0]
        self.numerics = f"torch-{version}/{processor(self.device)}/float32{threaded}"

    def groups(self, members: Sequence[Member]) -> list[list[int]]:
        """Returns one group for each member: together they would only share the processor."""
        return [[index] for index in range(len(members))]

    def train(self, members: Sequence[Member]) -> list[Trained]:
        """Trains one member after another by the protocol."""
        return [self._train(member) for member in members]

    def _train(self, member: Member) -> Trained:
        began = time.perf_counter()
        return follow(self._session(member), member, began)

    def _session(self, m: Member) -> TorchSession | SupermaskSession:
        if m.supermask is None:
            return self.open(m.network, m.start, m.mask, m.config, m.noise)
        set_precision(m.config, self.device)
        return SupermaskSession(m.network, m.start, m.config, m.supermask, self.device, m.noise)

    def open(
        self,
        network: Network,
        start: Mapping[str, Tensor],
        mask: Mask,
        config: TrainConfig,
        noise: np.random.Generator | None = None,
    ) -> TorchSession:
        """Returns a session that trains ``network`` from ``start`` under ``mask``.

        Args:
            network: the architecture.
            start: the weights; those outside the mask are held.
            mask: which weights are trained.
            config: how.
            noise: stream of augmentation and dropout; without it pictures are not augmented.

        Raises:
            ResourceError: if the precision needs another device.
        """
        set_precision(config, self.device)
        return TorchSession(network, start, mask, config, self.device, noise)


PRECISIONS = ("float32", "tf32", "bfloat16")
"""Values of ``train.precision``."""


def set_precision(config: TrainConfig, device: torch.device) -> None:
    """Says whether products and convolutions may round their factors to TF32.

    The flags are the whole process's, and PyTorch's own choice is yes for convolutions: they are
    set for every session anew, whatever was trained before.

    Raises:
        ConfigError: if there is no such precision.
        ResourceError: if it needs another device.
    """
    if config.precision not in PRECISIONS:
        raise unknown("train.precision", config.precision, PRECISIONS)
    tf32 = config.precision == "tf32"
    if tf32 and device.type != "cuda":
        raise ResourceError("train.precision must be float32 or bfloat16 on a CPU, got 'tf32'")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
