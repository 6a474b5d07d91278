"""Evidence on real digits for the tests of criteria: three kinds of networks, half pruned."""

import dataclasses

import torch
from torch import nn

from lttune.config import ModelConfig
from lttune.config.seeding import stream
from lttune.data import load
from lttune.data.resident import resident
from lttune.models import Network, build
from lttune.models.layers import Output
from lttune.pruning.criteria import Evidence

DIGITS = resident(load("digits"))[0]
CONFIG = ModelConfig(name="lenet-12-8")


def normed():
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


def network(name):
    """Returns a network by its name; "normed" has batch norm."""
    if name != "normed":
        return build(ModelConfig(name=name), (8, 8), 10)
    roles = {"1": "conv", "6": "fc", "9": "out", "2": "norm", "7": "norm"}
    names = [parameter for parameter, _ in normed().named_parameters()]
    return Network(
        make=normed,
        shapes={parameter: tuple(value.shape) for parameter, value in normed().named_parameters()},
        kinds={layer: kind for layer, kind in roles.items() if kind != "norm"},
        roles={n: "bias" if n in ("6.bias", "9.bias") else roles[n[0]] for n in names},
        buffers={n: tuple(b.shape) for n, b in normed().named_buffers() if b.is_floating_point()},
        config=CONFIG,
    )


def evidence(name="lenet-12-8", examples=64, keep=0.5, seed=0):
    """Returns initial weights, as many that moved away from them, and digits."""
    net = network(name)
    initial = net.initial_weights(stream(seed, 0, "init"))
    other = net.initial_weights(stream(seed, 0, "other"))
    rng = stream(seed, 0, "mask")
    inputs, labels = DIGITS.batch(torch.arange(examples))
    return Evidence(
        initial=initial,
        trained={n: 0.5 * initial[n] + 0.7 * other[n] for n in initial},
        mask={n: torch.from_numpy(rng.random(net.shapes[n]) < keep) for n in net.prunable},
        network=net,
        inputs=inputs,
        labels=labels,
        rng=stream(seed, 0, "criterion"),
    )


def fresh(found, **changes):
    """Returns the evidence with its stream at the beginning, and changed fields."""
    return dataclasses.replace(found, **{"rng": stream(0, 0, "criterion"), **changes})
