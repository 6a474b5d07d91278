"""The reference engine: autograd, any network, any device.

All parameters are views of one flat vector, so that the optimizer and the mask are one call each a
step. Pruned weights start at zero and their gradients are multiplied by zero before the optimizer
sees them, so its state for them stays zero too: they are exactly zero in every forward pass, also
with momentum, Adam and weight decay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from lttune.config import TrainConfig
from lttune.data.resident import Examples
from lttune.errors import ResourceError
from lttune.masks import Mask, apply
from lttune.models import Network
from lttune.training import Member, Trained, follow

CHUNK = 1_000
"""Examples a forward pass of an evaluation takes: activations of 1,000 stay in the cache."""


def _optimizer(config: TrainConfig, flat: Tensor) -> torch.optim.Optimizer:
    decay = config.weight_decay
    if config.optimizer == "adam":
        return torch.optim.Adam([flat], config.lr, weight_decay=decay, fused=True)
    if config.optimizer == "adamw":
        return torch.optim.AdamW([flat], config.lr, weight_decay=decay, fused=True)
    momentum = config.momentum if config.optimizer == "momentum" else 0.0
    return torch.optim.SGD([flat], config.lr, momentum=momentum, weight_decay=decay, fused=True)


class Session:
    """One masked network in training: its weights and a fresh optimizer."""

    def __init__(
        self,
        network: Network,
        start: Mapping[str, Tensor],
        mask: Mask,
        config: TrainConfig,
        device: torch.device,
    ) -> None:
        with torch.device("meta"):
            module = network.make()
        self._module: nn.Module = module.to_empty(device=device)
        parameters = dict(self._module.named_parameters())
        masked = apply(start, mask)
        self._flat = torch.cat([masked[name].flatten() for name in parameters]).to(device)
        self._flat.grad = torch.zeros_like(self._flat)
        sizes = [p.numel() for p in parameters.values()]
        views = zip(self._flat.split(sizes), self._flat.grad.split(sizes), strict=True)
        for parameter, (value, gradient) in zip(parameters.values(), views, strict=True):
            parameter.data = value.view_as(parameter)
            parameter.grad = gradient.view_as(parameter)
        self._names, self._sizes = list(parameters), sizes
        dense = all(bool(keep.all()) for keep in mask.values())
        ones = [mask.get(name, torch.ones(network.shapes[name])).flatten() for name in parameters]
        self._keep = None if dense else torch.cat(ones).to(device, torch.float32)
        self._optimizer = _optimizer(config, self._flat)
        self._network = network

    def run(self, examples: Examples, batches: Sequence[Tensor], rates: Sequence[float]) -> None:
        """Takes one optimizer step for each batch of indices (int64, [B]) at its learning rate."""
        self._module.train()
        gradient, keep = self._flat.grad, self._keep
        assert gradient is not None
        group = self._optimizer.param_groups[0]
        for index, rate in zip(batches, rates, strict=True):
            x, y = examples.batch(index)
            gradient.zero_()
            functional.cross_entropy(self._module(x), y).backward()
            if keep is not None:
                gradient.mul_(keep)
            group["lr"] = rate
            self._optimizer.step()

    @torch.no_grad()
    def evaluate(self, examples: Examples) -> tuple[float, float]:
        """Returns the mean cross-entropy (nats) and the accuracy (in [0, 1])."""
        self._module.eval()
        loss, correct = 0.0, 0
        for start in range(0, len(examples), CHUNK):
            x, y = examples.slice(start, start + CHUNK)
            logits = self._module(x)
            loss += functional.cross_entropy(logits, y, reduction="sum").item()
            correct += int((logits.argmax(1) == y).sum())
        return loss / len(examples), correct / len(examples)

    def weights(self) -> dict[str, Tensor]:
        """Returns a copy of all weights, pruned ones exactly zero, on the CPU."""
        parts = self._flat.detach().to("cpu", copy=True).split(self._sizes)
        shapes = self._network.shapes
        return {n: p.view(shapes[n]) for n, p in zip(self._names, parts, strict=True)}

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Replaces the weights, to evaluate a snapshot."""
        flat = torch.cat([weights[name].flatten() for name in self._names])
        with torch.no_grad():
            self._flat.copy_(flat)


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
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
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
        return [follow(self.open(m.network, m.start, m.mask, m.config), m) for m in members]

    def open(
        self, network: Network, start: Mapping[str, Tensor], mask: Mask, config: TrainConfig
    ) -> Session:
        """Returns a session that trains ``network`` from ``start`` under ``mask``."""
        return Session(network, start, mask, config, self.device)
