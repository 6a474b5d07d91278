"""The reference engine: autograd, any network, any device.

All parameters are views of one flat vector, so that the optimizer and the mask are one call each a
step. Gradients of pruned and frozen weights are multiplied by zero before the optimizer sees them,
so its state for them stays zero too: they are exactly what they were in every forward pass, also
with momentum, Adam and weight decay. (Weight decay moves only what is not zero; where pruned or
frozen weights hold a value, it is put back after the step.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from lttune.config import TrainConfig
from lttune.data.resident import Examples
from lttune.errors import ResourceError
from lttune.masks import Mask
from lttune.models import Network
from lttune.models.layers import Dropout
from lttune.training import Member, Trained, follow

CHUNK = 1_000
"""Examples a forward pass of an evaluation takes: activations of 1,000 stay in the cache."""


def _optimizer(config: TrainConfig, flat: Tensor) -> torch.optim.Optimizer:
    name, lr, decay = config.optimizer, config.lr, config.weight_decay
    if name == "adam":
        return torch.optim.Adam([flat], lr, weight_decay=decay, fused=True)
    if name == "adamw":
        return torch.optim.AdamW([flat], lr, weight_decay=decay, fused=True)
    if name == "rmsprop":
        return torch.optim.RMSprop([flat], lr, weight_decay=decay)
    momentum = config.momentum if name in ("momentum", "nesterov") else 0.0
    nesterov = name == "nesterov" and momentum > 0
    return torch.optim.SGD(
        [flat], lr, momentum=momentum, weight_decay=decay, nesterov=nesterov, fused=True
    )


class Session:
    """One masked network in training: its weights and a fresh optimizer."""

    def __init__(
        self,
        network: Network,
        start: Mapping[str, Tensor],
        mask: Mask,
        config: TrainConfig,
        device: torch.device,
        noise: np.random.Generator | None = None,
    ) -> None:
        with torch.device("meta"):
            module = network.make()
        self._module: nn.Module = module.to_empty(device=device)
        parameters = dict(self._module.named_parameters())
        self._flat = torch.cat([start[name].flatten() for name in parameters]).to(device)
        self._flat.grad = torch.zeros_like(self._flat)
        sizes = [p.numel() for p in parameters.values()]
        views = zip(self._flat.split(sizes), self._flat.grad.split(sizes), strict=True)
        for parameter, (value, gradient) in zip(parameters.values(), views, strict=True):
            parameter.data = value.view_as(parameter)
            parameter.grad = gradient.view_as(parameter)
        self._names, self._sizes = list(parameters), sizes
        buffers = dict(self._module.named_buffers())
        self._buffers = {name: buffers[name] for name in network.buffers}
        for name, value in self._buffers.items():
            value.copy_(start[name])
        trained = [_trained(name, network, mask, config).flatten() for name in parameters]
        moving = torch.cat(trained).to(device)
        self._keep = None if bool(moving.all()) else moving.to(torch.float32)
        held = torch.where(moving, torch.zeros_like(self._flat), self._flat)
        # Zeros stay zero by themselves; other values are put back after each step.
        self._held = (moving, held) if bool(held.any()) else None
        self._optimizer = _optimizer(config, self._flat)
        self._network = network
        self._noise = noise
        self._bfloat16 = config.precision == "bfloat16"
        for part in self._module.modules():
            if isinstance(part, Dropout):
                if noise is None:
                    raise ValueError("a network with dropout needs a stream of noise")
                part.generator = torch.Generator(device)
                part.generator.manual_seed(int(noise.integers(2**63)))

    def run(self, examples: Examples, batches: Sequence[Tensor], rates: Sequence[float]) -> None:
        """Takes one optimizer step for each batch of indices (int64, [B]) at its learning rate."""
        self._module.train()
        gradient, keep = self._flat.grad, self._keep
        assert gradient is not None
        group = self._optimizer.param_groups[0]
        for index, rate in zip(batches, rates, strict=True):
            x, y = examples.batch(index, self._noise)
            gradient.zero_()
            functional.cross_entropy(self._logits(x), y).backward()
            if keep is not None:
                gradient.mul_(keep)
            group["lr"] = rate
            self._optimizer.step()
            if self._held is not None:
                moving, held = self._held
                with torch.no_grad():
                    self._flat.copy_(torch.where(moving, self._flat, held))

    def _logits(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self._bfloat16):
            return self._module(x).float()

    @torch.no_grad()
    def evaluate(self, examples: Examples) -> tuple[float, float]:
        """Returns the mean cross-entropy (nats) and the accuracy (in [0, 1])."""
        self._module.eval()
        loss, correct = 0.0, 0
        for start in range(0, len(examples), CHUNK):
            x, y = examples.slice(start, start + CHUNK)
            logits = self._logits(x)
            loss += functional.cross_entropy(logits, y, reduction="sum").item()
            correct += int((logits.argmax(1) == y).sum())
        return loss / len(examples), correct / len(examples)

    def weights(self) -> dict[str, Tensor]:
        """Returns a copy of all weights and running moments, on the CPU."""
        parts = self._flat.detach().to("cpu", copy=True).split(self._sizes)
        shapes = self._network.shapes
        weights = {n: p.view(shapes[n]) for n, p in zip(self._names, parts, strict=True)}
        return weights | {n: b.to("cpu", copy=True) for n, b in self._buffers.items()}

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Replaces the weights, to evaluate a snapshot."""
        flat = torch.cat([weights[name].flatten() for name in self._names])
        with torch.no_grad():
            self._flat.copy_(flat)
        for name, value in self._buffers.items():
            value.copy_(weights[name])


def _trained(name: str, network: Network, mask: Mask, config: TrainConfig) -> Tensor:
    """Returns which values of a parameter training may move (bool, of its shape)."""
    shape = network.shapes[name]
    if network.roles[name] in config.frozen:
        return torch.zeros(shape, dtype=torch.bool)
    return mask.get(name, torch.ones(shape, dtype=torch.bool))


class TorchEngine:
    """Trains one network after another with PyTorch.

    Args:
        device: "cpu" or "cuda".
        threads: of a worker, on the CPU; another number gives other bits.

    Raises:
        ResourceError: if CUDA is asked for and absent.
    """

    def __init__(self, device: str = "cpu", threads: int = 1) -> None:
        if device.startswith("cuda") and not torch.cuda.is_available():
            raise ResourceError(
                f"device must be cpu here: {device!r} was asked for, but torch "
                f"{torch.__version__} sees no CUDA device"
            )
        self.device = torch.device(device)
        torch.set_num_threads(threads)
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True
        threaded = f"/threads={threads}" if self.device.type == "cpu" else ""
        version = torch.__version__.partition("+")[0]
        self.numerics = f"torch-{version}/{self.device.type}/float32{threaded}"

    def groups(self, members: Sequence[Member]) -> list[list[int]]:
        """Returns one group for each member: together they would only share the processor."""
        return [[index] for index in range(len(members))]

    def train(self, members: Sequence[Member]) -> list[Trained]:
        """Trains one member after another by the protocol."""
        return [
            follow(self.open(m.network, m.start, m.mask, m.config, m.noise), m) for m in members
        ]

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
            start: the weights; those outside the mask are held.
            mask: which weights are trained.
            config: how.
            noise: stream of augmentation and dropout; without it pictures are not augmented.

        Raises:
            ResourceError: if the precision needs another device.
        """
        if config.precision == "tf32" and self.device.type != "cuda":
            raise ResourceError("train.precision must be float32 or bfloat16 on a CPU, got 'tf32'")
        tf32 = config.precision == "tf32"
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
        return Session(network, start, mask, config, self.device, noise)
