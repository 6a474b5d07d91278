"""Networks, masks and batches for the sparse engine, and training in float64 to compare with."""

import copy
import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from lttune.config import ModelConfig, TrainConfig
from lttune.config.seeding import stream
from lttune.data.resident import Examples
from lttune.models import Network
from lttune.models.outline import outline_of
from lttune.training.engines.torch import TorchEngine

OPTIMIZERS = [
    TrainConfig(optimizer="sgd", lr=1.0, steps=100),
    TrainConfig(optimizer="momentum", lr=0.05, momentum=0.9, weight_decay=1e-3, steps=100),
    TrainConfig(optimizer="adam", lr=2e-3, weight_decay=1e-3, steps=100),
    TrainConfig(optimizer="adamw", lr=2e-3, weight_decay=1e-1, steps=100),
]
NAMES = [config.optimizer for config in OPTIMIZERS]
DENSITIES = [1.0, 0.5, 0.2, 0.05, 0.01]


def batches(steps, size):
    rng = stream(0, 0, "order")
    return [torch.from_numpy(rng.choice(1437, size, replace=False)) for _ in range(steps)]


def random_mask(network, density):
    """A mask with an empty row, an empty column and a unit without outgoing weights."""
    rng = stream(0, 0, "test-mask")
    mask = {
        name: torch.from_numpy(rng.random(network.shapes[name]) < density)
        for name in network.prunable
    }
    if density < 1:
        for keep in mask.values():
            keep[1, :] = False
            # Grey pictures have one channel only.
            keep[:, 2:3] = False
    return mask


def network_of(module, shape):
    outline = vars(outline_of(module))
    return Network(
        make=lambda: copy.deepcopy(module), config=ModelConfig(), pictures=shape, **outline
    )


def pictures(examples, shape):
    """Digits of another shape; each channel is scaled in its own way."""
    size = int(np.prod(shape))
    x = examples.x.flatten(1).repeat(1, size // 64 + 1)[:, :size].reshape(-1, *shape)
    if len(shape) == 2:
        return Examples(x.contiguous(), examples.y, examples.shift, examples.gain)
    shift, gain = torch.tensor([3.0, 5.5, 4.0]), torch.tensor([0.2, 0.15, 0.1])
    return Examples(x.contiguous(), examples.y, shift.view(3, 1, 1), gain.view(3, 1, 1))


class Reference:
    """Training in float64 by PyTorch, with the mask in the graph."""

    def __init__(self, network, start, mask, config):
        self._module = network.make().double()
        self._module.load_state_dict({name: value.double() for name, value in start.items()})
        self.nearest = math.inf
        """Least distance of an input of a ReLU from its kink at 0, or of the two largest places of
        a pooling, where rounding chooses a side; exactly 0 is a unit without inputs, of which all
        engines know the side."""
        for module in self._module.modules():
            if isinstance(module, nn.ReLU):
                module.register_forward_pre_hook(self._see)
            if isinstance(module, nn.MaxPool2d):
                module.register_forward_pre_hook(self._compare)
        self._keep = {name: keep.double() for name, keep in mask.items()}
        decay, parameters = config.weight_decay, list(self._module.parameters())
        if config.optimizer in ("adam", "adamw"):
            kind = torch.optim.Adam if config.optimizer == "adam" else torch.optim.AdamW
            self._optimizer = kind(parameters, config.lr, weight_decay=decay)
        else:
            factor = config.momentum if config.optimizer == "momentum" else 0.0
            self._optimizer = torch.optim.SGD(
                parameters, config.lr, momentum=factor, weight_decay=decay
            )

    def _see(self, module, inputs):
        x = inputs[0].detach().abs()
        self.nearest = min(self.nearest, x[x > 0].min().item() if (x > 0).any() else math.inf)

    def _compare(self, module, inputs):
        x = inputs[0].detach()
        windows = x.unfold(2, 2, 2).unfold(3, 2, 2).flatten(4).topk(2).values
        apart = windows[..., 0] - windows[..., 1]
        apart = apart[apart > 0]
        self.nearest = min(self.nearest, apart.min().item() if len(apart) else math.inf)

    def run(self, examples, order):
        for index in order:
            x, y = examples.batch(index)
            weights = {n: p * self._keep.get(n, 1.0) for n, p in self._module.named_parameters()}
            logits = torch.func.functional_call(self._module, weights, x.double())
            self._optimizer.zero_grad()
            functional.cross_entropy(logits, y).backward()
            self._optimizer.step()

    @property
    def weights(self):
        return {n: p.detach() * self._keep.get(n, 1.0) for n, p in self._module.named_parameters()}

    def moments(self, name):
        """Returns the optimizer's moments of a parameter, the first and the second."""
        state = self._optimizer.state[dict(self._module.named_parameters())[name]]
        found = [v for key, v in state.items() if key != "step" and v is not None]
        return [value * self._keep.get(name, 1.0) for value in found]

    def round(self):
        """Rounds weights and moments to what float32 can hold."""
        with torch.no_grad():
            for parameter in self._module.parameters():
                for value in (parameter, *self._optimizer.state[parameter].values()):
                    if value is not None:
                        value.copy_(value.float())


def reference(network, start, mask, config, examples, order):
    """Returns the weights after training in float64."""
    found = Reference(network, start, mask, config)
    found.run(examples, order)
    return found.weights


def trained(engine, network, start, mask, config, examples, order):
    session = engine.open(network, start, mask, config)
    session.run(examples, order, [config.lr] * len(order))
    return session.weights()


def evaluations(network, start, mask, config, examples, steps):
    """Yields what the sparse engine and PyTorch find of trained weights, then of the first."""
    from lttune.training.engines.sparse.engine import SparseEngine

    ours = SparseEngine().open(network, start, mask, config)
    first = ours.weights()
    ours.run(examples, batches(steps, 60), [config.lr] * steps)
    for weights in (ours.weights(), first):
        ours.load(weights)
        expected = TorchEngine().open(network, weights, mask, config).evaluate(examples)
        yield ours.evaluate(examples), expected


def errors(weights, expected):
    return {
        name: float((weights[name].double() - value).norm() / value.norm().clamp_min(1e-3))
        for name, value in expected.items()
    }


def start_of(network):
    start = network.initial_weights(stream(0, 0, "init"))
    rng = stream(0, 0, "test-bias")
    for name, value in start.items():
        if value.ndim == 1:
            start[name] = torch.from_numpy(rng.normal(0, 0.1, value.shape).astype(np.float32))
    return start
