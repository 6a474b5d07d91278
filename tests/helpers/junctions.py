"""A trunk at a level, and the branches that leave it there."""

import dataclasses

import torch

from lttune.config import (
    LotteryConfig,
    ModelConfig,
    TargetConfig,
    TrainConfig,
)
from lttune.config.seeding import stream
from lttune.data import load
from lttune.models import build, masks
from lttune.pruning.criteria import evidence_of
from lttune.trajectory.branches import BRANCHES
from lttune.trajectory.starts import Junction, start_weights

DIGITS = load("digits")
NETWORK = build(ModelConfig(name="lenet-20-10"), (8, 8), 10)
CONFIG = LotteryConfig(
    model=NETWORK.config,
    train=TrainConfig(lr=1.0, steps=100, eval_every=10, milestones=(50,)),
    rewind_step=7,
    target=TargetConfig(data="other.npz", lr=0.5, steps=30),
)


def moved(seed):
    noise = torch.Generator().manual_seed(seed)
    return {n: v + 0.1 * torch.randn(v.shape, generator=noise) for n, v in INITIAL.items()}


INITIAL = NETWORK.initial_weights(stream(0, 0, "init"))
REWOUND, DENSE = moved(1), moved(2)
MASK = {
    name: torch.from_numpy(stream(0, 0, "test").random(NETWORK.shapes[name]) < density)
    for name, density in zip(NETWORK.prunable, (0.2, 0.5, 0.8), strict=True)
}


def junction(name="x", level=3, **changes):
    trained = masks.apply(moved(3), MASK)
    at = Junction(
        mask=MASK,
        evidence=dataclasses.replace(evidence_of(trained, MASK, NETWORK), initial=INITIAL),
        rewound=REWOUND,
        dense=DENSE,
        dense_scored=DENSE,
        final=moved(4),
        config=CONFIG,
        rng=stream(0, 0, name, level),
        train=CONFIG.train,
        first_step=7,
        end=masks.apply(moved(5), MASK),
    )
    at = dataclasses.replace(at, start=start_weights(at, "rewind", "zero"))
    return dataclasses.replace(at, **changes)


def leaving(name, **changes):
    return BRANCHES[name](junction(name, **changes))
