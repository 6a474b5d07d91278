"""Networks whose tickets are exchanged."""

from __future__ import annotations

import numpy as np
import torch

from lttune.config import ModelConfig
from lttune.models import build, masks

NETWORK = build(ModelConfig(name="lenet-20-10"), (8, 8), 10)
NORMED = build(ModelConfig(name="resnet-20-4"), (8, 8), 10)


def ticket(network, seed=0, density=0.4):
    rng = np.random.default_rng(seed)
    mask = {n: torch.from_numpy(rng.random(network.shapes[n]) < density) for n in network.prunable}
    return masks.apply(network.initial_weights(rng), mask), mask


def same(one, other):
    return list(one) == list(other) and all(torch.equal(one[n], other[n]) for n in one)
