"""lttune's own training loop, as the benchmark calls it."""

from __future__ import annotations

import time

from benchmarks.baselines import BATCH_SIZE, LR, Loop
from lttune.config import ModelConfig, TrainConfig
from lttune.data.dataset import Dataset, split
from lttune.data.resident import resident
from lttune.engines.torch import TorchEngine
from lttune.masks import ones
from lttune.models import build
from lttune.seeding import stream
from lttune.training import batches


def ours(dataset: Dataset) -> Loop:
    """Returns the loop of the reference engine, dense, as ``lttune.training`` drives it.

    What is made once per study (the resident dataset, the split) or once per network (the model) is
    not counted, as it is not in the baselines; nor are the measurements after the last step, which
    the baselines do not make.
    """
    pool, _ = resident(dataset)
    chosen, held_out = split(dataset, None, seed=0, replicate=0)
    validation = pool.take(held_out)
    network = build(ModelConfig(), dataset.shape, dataset.classes)
    engine = TorchEngine()
    config = TrainConfig(lr=LR, batch_size=BATCH_SIZE)

    def level(steps: int, eval_every: int | None) -> float:
        weights = network.initial_weights(stream(0, 0, "init"))
        session = engine.open(network, weights, ones(weights, network.prunable), config)
        order = batches(chosen, BATCH_SIZE, stream(0, 0, "order"))
        every = eval_every or steps
        start = time.perf_counter()
        for _ in range(0, steps, every):
            session.run(pool, [next(order) for _ in range(every)], [LR] * every)
            if eval_every is not None:
                session.evaluate(validation)
        return time.perf_counter() - start

    return level
