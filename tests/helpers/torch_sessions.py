"""Small networks, masks and batches for the reference engine, and its sessions."""

import dataclasses

import torch
from torch import nn

from lttune.config import ModelConfig
from lttune.config.seeding import stream
from lttune.data import load
from lttune.data.resident import resident
from lttune.models import build, masks
from lttune.training.engines.torch import TorchEngine

POOL = resident(load("digits"))[0]
CONV = build(ModelConfig(name="conv-2"), (8, 8), 10)
LENET = build(ModelConfig(name="lenet-24-12"), (8, 8), 10)


def batches(steps, size=32):
    rng = stream(0, 0, "order")
    return [torch.from_numpy(rng.choice(1437, size, replace=False)) for _ in range(steps)]


def half(network):
    rng = stream(0, 0, "test-mask")
    return {n: torch.from_numpy(rng.random(network.shapes[n]) < 0.5) for n in network.prunable}


def opened(network, config, mask=None, noise=None, held=False):
    start = network.initial_weights(stream(0, 0, "init"))
    mask = masks.ones(start, network.prunable) if mask is None else mask
    start = start if held else masks.apply(start, mask)
    return start, TorchEngine().open(network, start, mask, config, noise)


NORMED = dataclasses.replace(
    LENET,
    make=lambda: nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64), nn.Linear(64, 10)),
    shapes={"1.weight": (64,), "1.bias": (64,), "2.weight": (10, 64), "2.bias": (10,)},
    kinds={"2": "out"},
    roles={"1.weight": "norm", "1.bias": "norm", "2.weight": "out", "2.bias": "bias"},
    buffers={"1.running_mean": (64,), "1.running_var": (64,)},
)
