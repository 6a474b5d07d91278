"""lttune's own training, as the benchmark calls it: the protocol with an engine, nothing else."""

from __future__ import annotations

import time

from benchmarks.baselines import BATCH_SIZE, LR, Loop
from lttune import engines
from lttune.config import ModelConfig, TrainConfig
from lttune.data.dataset import Dataset, split
from lttune.data.resident import resident
from lttune.masks import ones
from lttune.models import build
from lttune.seeding import stream
from lttune.training import Material, Member

FEW = 20
"""Examples in the sets that the baselines do not measure; the protocol always measures them."""


def ours(dataset: Dataset, engine: str) -> Loop:
    """Returns a dense level of an engine, trained by the protocol as a study trains it.

    What is made once per study (the resident dataset, the split) is not counted, as it is not in
    the baselines. The protocol measures validation before the first step and test and training
    examples after the last: sets that the baselines leave out have ``FEW`` examples here.
    """
    pool, _ = resident(dataset)
    chosen, held_out = split(dataset, None, seed=0, replicate=0)
    network = build(ModelConfig(), dataset.shape, dataset.classes)
    trainer = engines.make(engine, "cpu")

    def level(steps: int, eval_every: int | None) -> float:
        validation = held_out if eval_every is not None else held_out[:FEW]
        material = Material(
            pool=pool,
            train=chosen,
            validation=pool.take(validation),
            test=pool.take(held_out[:FEW]),
            train_sample=pool.take(chosen[:0]),
            classes=dataset.classes,
        )
        config = TrainConfig(
            lr=LR,
            batch_size=BATCH_SIZE,
            steps=steps,
            eval_every=eval_every or steps,
            eval_test=False,
            eval_train=0,
        )
        weights = network.initial_weights(stream(0, 0, "init"))
        member = Member(
            network=network,
            start=weights,
            mask=ones(weights, network.prunable),
            config=config,
            material=material,
            order=stream(0, 0, "order"),
        )
        start = time.perf_counter()
        trainer.train([member])
        return time.perf_counter() - start

    return level
