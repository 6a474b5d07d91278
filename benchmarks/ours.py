"""lttune's own training, as the benchmark calls it: the protocol with an engine, nothing else."""

from __future__ import annotations

import numpy as np

from benchmarks.trajectory import BATCH_SIZE, EVAL_EVERY, LR, Timed, Workload
from lttune.config import TrainConfig
from lttune.config.seeding import stream
from lttune.data.resident import resident
from lttune.training import engines
from lttune.training.protocol import Material, Member
from lttune.trajectory.task import Ticket


class Ours:
    """An engine that trains by the protocol, as in a study."""

    def __init__(self, workload: Workload, engine: str) -> None:
        self._network = workload.network
        self._engine = engines.make(engine, "cpu")
        self._pool, self._test = resident(workload.dataset)
        self._validation = self._pool.take(workload.indices[1])
        self._classes = workload.dataset.classes

    def level(self, ticket: Ticket, train_on: np.ndarray, steps: int) -> Timed:
        """Trains a level; the protocol measures before the first step as well."""
        material = Material(
            pool=self._pool,
            train=train_on,
            validation=self._validation,
            test=self._test,
            train_sample=self._pool.take(train_on[:0]),
            classes=self._classes,
        )
        every = min(EVAL_EVERY, steps)
        member = Member(
            network=self._network,
            start=ticket.start,
            mask=ticket.mask,
            config=TrainConfig(
                lr=LR, batch_size=BATCH_SIZE, steps=steps, eval_every=every, eval_train=0
            ),
            material=material,
            order=stream(0, 0, "order"),
            noise=stream(0, 0, "noise"),
        )
        [trained] = self._engine.train([member])
        evaluations = trained.times["eval_time_s"]
        return Timed(
            steps_s=trained.times["train_time_s"] - evaluations,
            evaluation_s=evaluations / len(trained.history),
            weights=trained.weights,
        )
