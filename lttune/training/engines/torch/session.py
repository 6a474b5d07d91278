"""One masked network in training.

Gradients of pruned and frozen weights are multiplied by zero before the optimizer sees them, so its
state for them stays zero too: they are exactly what they were in every forward pass, also with
momentum, Adam and weight decay. (Weight decay moves only what is not zero; where pruned or frozen
weights hold a value, it is put back after the step.)
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from lttune.config import TrainConfig
from lttune.data.resident import Examples
from lttune.models import Network
from lttune.models.layers import Dropout
from lttune.models.masks import Mask
from lttune.models.own.draws import GlobalDraws, seed_of
from lttune.training.engines.torch.graph import Graph, worthwhile
from lttune.training.engines.torch.optimizers import optimizer, set_rate
from lttune.training.engines.torch.parameters import FlatParameters

CHUNK = 1_000
"""Examples a forward pass of an evaluation takes: activations of 1,000 stay in the cache."""


class TorchSession:
    """A network's weights on a device, and a fresh optimizer.

    Args:
        network: the architecture.
        start: the weights; those outside the mask are held.
        mask: which weights are trained.
        config: how.
        device: where.
        noise: stream of augmentation and dropout; without it pictures are not augmented.
    """

    def __init__(
        self,
        network: Network,
        start: Mapping[str, Tensor],
        mask: Mask,
        config: TrainConfig,
        device: torch.device,
        noise: np.random.Generator | None = None,
    ) -> None:
        self._module: nn.Module = network.opened(device)
        self._parameters = FlatParameters(self._module, network, start, device)
        flat = self._parameters.flat
        trained = {name: _trained(name, network, mask, config) for name in network.shapes}
        moving = self._parameters.flattened(trained).to(device)
        self._keep = None if bool(moving.all()) else moving.to(torch.float32)
        held = torch.where(moving, torch.zeros_like(flat), flat)
        # Zeros stay zero by themselves; other values are put back after each step.
        self._held = (moving, held) if bool(held.any()) else None
        self._optimizer = optimizer(config, flat)
        self._noise = noise
        self._bfloat16 = config.precision == "bfloat16"
        self._convolves = any(isinstance(part, nn.Conv2d) for part in self._module.modules())
        drops = [part for part in self._module.modules() if isinstance(part, Dropout)]
        for part in drops:
            if noise is None:
                raise ValueError("a network with dropout needs a stream of noise")
            part.generator = torch.Generator(device)
            part.generator.manual_seed(int(noise.integers(2**63)))
        self._draws = draws_of(network, device, noise)
        self._graph = None
        # What somebody's code does in a step may be no matter of kernels alone.
        if worthwhile(device, flat.numel()) and not drops and not network.source:
            self._graph = Graph(self._step, config.batch_size, self._state)

    def run(self, examples: Examples, batches: Sequence[Tensor], rates: Sequence[float]) -> None:
        """Takes one optimizer step for each batch of indices (int64, [B]) at its learning rate."""
        self._module.train()
        with self._draws():
            for index, rate in zip(batches, rates, strict=True):
                x, y = examples.batch(index, self._noise)
                set_rate(self._optimizer, rate)
                if self._graph is None:
                    self._step(x, y)
                else:
                    self._graph.step(x, y)

    def _step(self, x: Tensor, y: Tensor) -> None:
        gradient = self._parameters.gradient
        gradient.zero_()
        functional.cross_entropy(self._logits(x), y).backward()
        if self._keep is not None:
            gradient.mul_(self._keep)
        self._optimizer.step()
        if self._held is not None:
            moving, held = self._held
            with torch.no_grad():
                flat = self._parameters.flat
                flat.copy_(torch.where(moving, flat, held))

    def _state(self) -> list[Tensor]:
        """Returns every tensor that a step changes."""
        states = self._optimizer.state.values()
        moments = [value for state in states for value in state.values()]
        tensors = [value for value in moments if isinstance(value, Tensor)]
        return [self._parameters.flat, *self._parameters.buffers.values(), *tensors]

    def _logits(self, x: Tensor) -> Tensor:
        if self._convolves and x.ndim == 4:
            x = x.contiguous(memory_format=torch.channels_last)
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
        return self._parameters.copied()

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Replaces the weights, to evaluate a snapshot."""
        self._parameters.load(weights)


def draws_of(
    network: Network, device: torch.device, noise: np.random.Generator | None
) -> Callable[[], contextlib.AbstractContextManager[None]]:
    """Returns what a training's steps are taken in: the global draws of a network of one's own."""
    if not network.source:
        return contextlib.nullcontext
    seed = 0 if noise is None else seed_of(noise)
    return GlobalDraws(seed, device).going_on


def _trained(name: str, network: Network, mask: Mask, config: TrainConfig) -> Tensor:
    """Returns which values of a parameter training may move (bool, of its shape)."""
    shape = network.shapes[name]
    if network.roles[name] in config.frozen:
        return torch.zeros(shape, dtype=torch.bool)
    return mask.get(name, torch.ones(shape, dtype=torch.bool))
