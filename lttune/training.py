"""The training protocol that every engine follows (Frankle & Carbin 2019, section 2 and App. C).

Training runs its fixed number of steps, reshuffling every epoch. Validation is measured every
``eval_every`` steps; the early-stopping step is the step of minimum validation loss, found
afterwards, the first if tied. A validation loss that is not finite ends the training: divergence
is a result, not an error.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from lttune.config import TrainConfig
from lttune.data.resident import Examples
from lttune.masks import Mask, Weights
from lttune.models import Network


class Session(Protocol):
    """What the protocol asks of an engine's masked network in training."""

    def run(self, examples: Examples, batches: Sequence[Tensor], rates: Sequence[float]) -> None:
        """Takes one step for each batch of indices at its learning rate."""

    def evaluate(self, examples: Examples) -> tuple[float, float]:
        """Returns mean cross-entropy and accuracy."""
        ...

    def weights(self) -> Weights:
        """Returns a copy of the weights."""
        ...

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Replaces the weights."""


class Engine(Protocol):
    """Opens sessions; ``numerics`` names everything about it that determines bytes."""

    numerics: str

    def open(
        self, network: Network, start: Mapping[str, Tensor], mask: Mask, config: TrainConfig
    ) -> Session:
        """Returns a session with fresh optimizer state."""
        ...


@dataclass(frozen=True, kw_only=True)
class Material:
    """The examples of one replicate."""

    pool: Examples
    """The pictures that the training indices point into."""
    train: np.ndarray
    """Indices (int64) of the training examples."""
    validation: Examples
    test: Examples
    train_sample: Examples
    """Training examples on which training accuracy is measured; may be empty."""
    classes: int


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What one training gave."""

    measures: dict[str, Any]
    """Columns of the records that training determines; the same bytes every time."""
    history: list[dict[str, float | int | None]]
    """One entry an evaluation: step, val_loss, val_accuracy, and test_* if measured."""
    times: dict[str, float]
    """train_time_s and eval_time_s: wall seconds."""
    weights: Weights
    """Weights after the last step."""
    snapshot: Weights | None
    """Weights after ``snapshot_step`` steps, if it was asked for."""


def rate(config: TrainConfig, step: int) -> float:
    """Returns the learning rate of a step, counted from 0: linear warmup, then constant."""
    if step < config.warmup_steps:
        return config.lr * (step + 1) / config.warmup_steps
    return config.lr


def batches(indices: np.ndarray, size: int, rng: np.random.Generator) -> Iterator[Tensor]:
    """Yields batches of indices for ever; every epoch is a new order, its last batch the rest."""
    while True:
        order = torch.from_numpy(rng.permutation(indices))
        yield from order.split(size)


def evaluation_steps(config: TrainConfig, first_step: int) -> list[int]:
    """Returns the steps after which the network is measured: the first, the cadence, the last."""
    every = config.eval_every
    regular = range(first_step // every * every + every, config.steps, every)
    return [first_step, *regular, config.steps]


def train(
    engine: Engine,
    network: Network,
    start: Mapping[str, Tensor],
    mask: Mask,
    config: TrainConfig,
    material: Material,
    rng: np.random.Generator,
    *,
    first_step: int = 0,
    snapshot_step: int | None = None,
) -> Trained:
    """Trains one masked network from ``first_step`` to ``config.steps``.

    Args:
        engine: how a step is computed.
        network: the architecture.
        start: the weights at ``first_step``; those outside the mask count as zero.
        mask: which prunable weights exist.
        config: hyperparameters.
        material: the replicate's examples.
        rng: stream of the data order.
        first_step: 0, or the step that the weights were rewound to.
        snapshot_step: step whose weights are kept for rewinding.
    """
    began, measuring = time.perf_counter(), 0.0
    session = engine.open(network, start, mask, config)
    order = batches(material.train, config.batch_size, rng)
    stops = evaluation_steps(config, first_step)
    history: list[dict[str, float | int | None]] = []
    best_loss, best, snapshot, diverged, done = math.inf, None, None, False, first_step
    for stop in stops:
        while done < stop:
            until = stop
            if snapshot_step is not None and done < snapshot_step < stop:
                until = snapshot_step
            steps = range(done, until)
            session.run(
                material.pool, [next(order) for _ in steps], [rate(config, s) for s in steps]
            )
            done = until
            if done == snapshot_step:
                snapshot = session.weights()
        pause = time.perf_counter()
        loss, accuracy = session.evaluate(material.validation)
        diverged = not math.isfinite(loss)
        entry = {"step": stop, "val_loss": None if diverged else loss, "val_accuracy": accuracy}
        if config.eval_test and not diverged:
            entry["test_loss"], entry["test_accuracy"] = session.evaluate(material.test)
        history.append(entry)
        if loss < best_loss:
            best_loss, best = loss, session.weights()
        measuring += time.perf_counter() - pause
        if diverged:
            break
    weights = session.weights()
    pause = time.perf_counter()
    measures = _measures(session, material, history, best, diverged)
    ended = time.perf_counter()
    measures |= {"steps_trained": done - first_step, "diverged": diverged}
    return Trained(
        measures=measures,
        history=history,
        times={"train_time_s": ended - began, "eval_time_s": measuring + ended - pause},
        weights=weights,
        snapshot=snapshot,
    )


def _measures(
    session: Session,
    material: Material,
    history: list[dict[str, Any]],
    best: Weights | None,
    diverged: bool,
) -> dict[str, Any]:
    """Measures training and test examples at the end and at the early-stopping step."""
    chance = 1 / material.classes
    sample = material.train_sample if len(material.train_sample) else None
    last = history[-1]
    if diverged:
        end = {"val_accuracy": chance, "val_loss": None, "test_accuracy": chance, "test_loss": None}
        end["train_accuracy"] = chance if sample else None
    else:
        end = dict(last)
        if "test_accuracy" not in end:
            end["test_loss"], end["test_accuracy"] = session.evaluate(material.test)
        end["train_accuracy"] = session.evaluate(sample)[1] if sample else None
    finite = [entry for entry in history if entry["val_loss"] is not None]
    if best is None:
        found = {**end, "step": last["step"]}
    else:
        found = dict(min(finite, key=lambda entry: entry["val_loss"]))
        if found["step"] == last["step"]:
            found |= end
        else:
            session.load(best)
            if "test_accuracy" not in found:
                found["test_loss"], found["test_accuracy"] = session.evaluate(material.test)
            found["train_accuracy"] = session.evaluate(sample)[1] if sample else None
    names = ("val_accuracy", "val_loss", "test_accuracy", "test_loss", "train_accuracy")
    return {
        "early_stop_step": found["step"],
        "early_stop_at_end": found["step"] == last["step"],
        "start_val_accuracy": history[0]["val_accuracy"],
        **{name: found[name] for name in names},
        **{f"end_{name}": end[name] for name in names},
    }
