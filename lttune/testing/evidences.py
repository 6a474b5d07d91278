"""Evidence on real digits, half pruned, on which criteria are checked."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import torch
from torch import nn

from lttune.config import ModelConfig
from lttune.config.seeding import stream
from lttune.data import load
from lttune.data.resident import Examples, resident
from lttune.models import Network, build
from lttune.models.layers import Output
from lttune.pruning.criteria import Evidence

SMALL_NETWORK = "lenet-12-8"
"""The network of two hidden layers on which most is checked."""
NORMED = "normed"
"""The name of ``normed_module``, which no configuration can ask for."""


@functools.cache
def digits_examples() -> Examples:
    """Returns the training examples of digits."""
    return resident(load("digits"))[0]


def normed_module() -> nn.Sequential:
    """A convolution and a hidden layer, each with batch norm, for pictures of 8 x 8."""
    return nn.Sequential(
        nn.Unflatten(1, (1, 8)),
        nn.Conv2d(1, 5, 3, padding=1, bias=False),
        nn.BatchNorm2d(5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(80, 9),
        nn.BatchNorm1d(9),
        nn.ReLU(),
        Output(9, 10),
    )


def network_for_digits(name: str) -> Network:
    """Returns a network by its name; ``NORMED`` has batch norm."""
    if name != NORMED:
        return build(ModelConfig(name=name), (8, 8), 10)
    roles = {"1": "conv", "6": "fc", "9": "out", "2": "norm", "7": "norm"}
    module = normed_module()
    names = [parameter for parameter, _ in module.named_parameters()]
    return Network(
        make=normed_module,
        shapes={parameter: tuple(value.shape) for parameter, value in module.named_parameters()},
        kinds={layer: kind for layer, kind in roles.items() if kind != "norm"},
        roles={n: "bias" if n in ("6.bias", "9.bias") else roles[n[0]] for n in names},
        buffers={n: tuple(b.shape) for n, b in module.named_buffers() if b.is_floating_point()},
        config=ModelConfig(name=SMALL_NETWORK),
    )


def digits_evidence(
    name: str = SMALL_NETWORK, examples: int = 64, keep: float = 0.5, seed: int = 0
) -> Evidence:
    """Returns initial weights, as many that moved away from them, and digits.

    Args:
        name: of the network.
        examples: digits.
        keep: share of the weights that is alive, at random places.
        seed: of all draws.
    """
    net = network_for_digits(name)
    initial = net.initial_weights(stream(seed, 0, "init"))
    other = net.initial_weights(stream(seed, 0, "other"))
    rng = stream(seed, 0, "mask")
    inputs, labels = digits_examples().batch(torch.arange(examples))
    return Evidence(
        initial=initial,
        trained={n: 0.5 * initial[n] + 0.7 * other[n] for n in initial},
        mask={n: torch.from_numpy(rng.random(net.shapes[n]) < keep) for n in net.prunable},
        network=net,
        inputs=inputs,
        labels=labels,
        rng=stream(seed, 0, "criterion"),
    )


def fresh_evidence(found: Evidence, **changes: Any) -> Evidence:
    """Returns the evidence with its stream at the beginning, and changed fields."""
    return dataclasses.replace(found, **{"rng": stream(0, 0, "criterion"), **changes})
