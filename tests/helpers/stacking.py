"""Members that differ, for the tests of the stacked engine."""

import dataclasses

import torch

from lttune.config import ModelConfig, TrainConfig
from lttune.config.seeding import stream
from lttune.data import load, split
from lttune.data.resident import resident
from lttune.models import build, masks
from lttune.training.protocol import Material, Member

DIGITS = load("digits")
POOL, TEST = resident(DIGITS)
NETWORK = build(ModelConfig(name="lenet-24-12"), (8, 8), 10)
OPTIMIZERS = [
    TrainConfig(optimizer="sgd", lr=0.1, weight_decay=1e-2),
    TrainConfig(optimizer="momentum", lr=0.05, momentum=0.8, weight_decay=1e-3),
    TrainConfig(optimizer="adam", lr=2e-3, weight_decay=1e-3),
    TrainConfig(optimizer="adamw", lr=2e-3, weight_decay=1e-1),
]


def ticket(density, network=NETWORK, replicate=0):
    rng = stream(0, replicate, "test-mask")
    mask = {
        name: torch.from_numpy(rng.random(network.shapes[name]) < density)
        for name in network.prunable
    }
    weights = network.initial_weights(stream(0, replicate, "init"))
    for name in sorted(weights.keys() - mask.keys()):
        weights[name] = torch.from_numpy(rng.normal(0, 0.1, network.shapes[name])).float()
    return weights, mask


def materials(device="cpu"):
    pool, test = resident(DIGITS, device)
    made = []
    for replicate in range(3):
        train, validation = split(DIGITS, None, 0, replicate)
        made.append(
            Material(
                pool=pool,
                train=train,
                validation=pool.take(validation),
                test=test,
                train_sample=pool.take(train[: 100 * replicate]),
                classes=10,
            )
        )
    return made


MATERIALS = materials()


def member(
    config, replicate=0, density=0.5, of=MATERIALS, network=NETWORK, order="order", **kwargs
):
    start, mask = ticket(density, network, replicate)
    return Member(
        network=network,
        start=masks.apply(start, mask),
        mask=mask,
        config=config,
        material=of[replicate],
        order=stream(0, replicate, order),
        noise=stream(0, replicate, order),
        **kwargs,
    )


def mixed(of=MATERIALS):
    """Members that have only what a gang must share in common; one of them diverges."""
    base = TrainConfig(optimizer="adam", batch_size=60, steps=40, eval_every=10)

    def varied(replicate=0, density=0.5, more=None, **changes):
        config = dataclasses.replace(base, **changes)
        return member(config, replicate, density, of, **more or {})

    return [
        varied(),
        varied(lr=1e-2, weight_decay=1e-2),
        varied(lr=1e30),
        varied(replicate=1, density=0.1, steps=33, eval_every=7, more={"first_step": 9}),
        varied(replicate=2, eval_test=False, warmup_steps=20, more={"snapshot_steps": (13,)}),
        varied(density=0.02, steps=55),
    ]
