"""A mask learned on weights that stay as they are (Zhou et al. 2019, section 5).

Every prunable weight has a logit. A forward pass draws each weight into the network with
probability sigmoid(logit), or rounds that probability; the gradient goes straight through, as if
the probability had been the factor (Bengio et al. 2013).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional

from lttune.config import SupermaskConfig, TrainConfig
from lttune.data.resident import Examples
from lttune.models import Network
from lttune.training.engines.torch.optimizers import optimizer, set_rate
from lttune.training.engines.torch.session import CHUNK, draws_of


class SupermaskSession:
    """A network of fixed weights whose mask is trained.

    Its ``weights`` are the logits of the prunable tensors and the values of all others.

    Args:
        network: the architecture.
        start: the weights, which stay.
        config: optimizer of the logits.
        supermask: how masks are drawn.
        device: where.
        noise: stream of the draws.
    """

    def __init__(
        self,
        network: Network,
        start: Mapping[str, Tensor],
        config: TrainConfig,
        supermask: SupermaskConfig,
        device: torch.device,
        noise: np.random.Generator,
    ) -> None:
        self._module = network.opened(device)
        self._fixed = {name: value.to(device) for name, value in start.items()}
        self._names = network.prunable
        self._config = supermask
        self._bfloat16 = config.precision == "bfloat16"
        sizes = [self._fixed[name].numel() for name in self._names]
        self._logits = torch.full((sum(sizes),), supermask.logit, device=device)
        self._logits.requires_grad_()
        self._sizes = sizes
        self._optimizer = optimizer(config, self._logits)
        self._noise = noise
        self._drawing = torch.Generator(device)
        self._drawing.manual_seed(int(noise.integers(2**63)))
        self._measured = int(noise.integers(2**63))
        self._draws = draws_of(network, device, noise)

    def run(self, examples: Examples, batches: Sequence[Tensor], rates: Sequence[float]) -> None:
        """Takes one step of the logits for each batch of indices (int64, [B]) at its rate."""
        self._module.train()
        for index, rate in zip(batches, rates, strict=True):
            x, y = examples.batch(index, self._noise)
            set_rate(self._optimizer, rate)
            self._optimizer.zero_grad()
            values = self._drawn(self._drawing)
            with self._draws():
                functional.cross_entropy(self._outputs(x, values), y).backward()
            self._optimizer.step()

    @torch.no_grad()
    def evaluate(self, examples: Examples) -> tuple[float, float]:
        """Returns mean cross-entropy (nats) and accuracy over ``samples`` masks, or of the rounded.

        The same draws at every evaluation, so that two differ by their logits alone.
        """
        self._module.eval()
        generator = torch.Generator(self._logits.device)
        generator.manual_seed(self._measured)
        samples = 1 if self._config.round else self._config.samples
        loss, correct, count = 0.0, 0, len(examples) * samples
        for _ in range(samples):
            values = self._drawn(generator)
            for start in range(0, len(examples), CHUNK):
                x, y = examples.slice(start, start + CHUNK)
                logits = self._outputs(x, values)
                loss += functional.cross_entropy(logits, y, reduction="sum").item()
                correct += int((logits.argmax(1) == y).sum())
        return loss / count, correct / count

    def weights(self) -> dict[str, Tensor]:
        """Returns the logits of the prunable tensors and the values of the others, on the CPU."""
        logits = dict(self._shaped(self._logits.detach()))
        return {n: logits.get(n, v).to("cpu", copy=True) for n, v in self._fixed.items()}

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Replaces the logits."""
        with torch.no_grad():
            self._logits.copy_(torch.cat([weights[name].flatten() for name in self._names]))

    def _outputs(self, x: Tensor, values: dict[str, Tensor]) -> Tensor:
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self._bfloat16):
            return functional_call(self._module, values, (x,)).float()

    def _drawn(self, generator: torch.Generator) -> dict[str, Tensor]:
        chance = self._logits.sigmoid()
        if self._config.round:
            draw = (chance.detach() > 0.5).to(chance.dtype)
        else:
            draw = torch.bernoulli(chance.detach(), generator=generator)
        # The value of the draw, the gradient of the chance.
        factor = draw + chance - chance.detach()
        values = dict(self._fixed)
        for name, keep in self._shaped(factor):
            scale = keep.numel() / keep.detach().sum().clamp(min=1) if self._config.rescale else 1
            values[name] = self._fixed[name] * keep * scale
        return values

    def _shaped(self, flat: Tensor) -> Iterator[tuple[str, Tensor]]:
        for name, part in zip(self._names, flat.split(self._sizes), strict=True):
            yield name, part.view(self._fixed[name].shape)
