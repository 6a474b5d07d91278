"""The training protocol that every engine follows (Frankle & Carbin 2019, section 2 and App. C).

Training runs its fixed number of steps, reshuffling every epoch. Validation is measured every
``eval_every`` steps; the early-stopping step is the step of minimum validation loss, found
afterwards, the first if tied. A validation loss that is not finite ends the training: divergence
is a result, not an error.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from torch import Tensor

from lttune.config import SupermaskConfig, TrainConfig
from lttune.data.resident import Examples
from lttune.models import Network
from lttune.models.masks import Mask, Weights
from lttune.training.columns import own_columns
from lttune.training.schedule import batches, evaluation_steps, rate

ObserveFunction = Callable[[int, Weights], Mapping[str, float | None] | None]
"""Step, weights to look at -> what stands in the history as ``measured``, None if nothing."""


class Trainee(Protocol):
    """One masked network as an engine holds it: what the protocol measures."""

    def evaluate(self, examples: Examples) -> tuple[float, float]:
        """Returns mean cross-entropy and accuracy."""
        ...

    def weights(self) -> Weights:
        """Returns a copy of the weights and of what else training changes (running moments)."""
        ...

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Replaces the weights."""


class Session(Trainee, Protocol):
    """A network that can be trained on its own."""

    def run(self, examples: Examples, batches: Sequence[Tensor], rates: Sequence[float]) -> None:
        """Takes one step for each batch of indices at its learning rate."""


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
class Member:
    """One network to be trained; an engine is given a list of them."""

    network: Network
    start: Weights
    """The weights at ``first_step``; those outside the mask are held as they are, at zero unless
    pruned weights keep a value."""
    mask: Mask
    config: TrainConfig
    material: Material
    order: np.random.Generator
    """Stream of the data order."""
    noise: np.random.Generator
    """Stream of what training draws beside the order: augmentation, dropout."""
    supermask: SupermaskConfig | None = None
    """How a mask is learned on weights that stay; None trains the weights."""
    first_step: int = 0
    """0, or the step that the weights were rewound to."""
    snapshot_steps: tuple[int, ...] = ()
    """Steps whose weights are kept."""
    observe: ObserveFunction | None = None
    """Called at every evaluation whose loss is finite. It changes nothing of the training."""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What one training gave."""

    measures: dict[str, Any]
    """Columns of the records that training determines; the same bytes every time."""
    history: list[dict[str, Any]]
    """One entry an evaluation: step, val_loss, val_accuracy; test_* and ``measured`` if asked."""
    times: dict[str, float]
    """train_time_s and eval_time_s: wall seconds."""
    weights: Weights
    """Weights after the last step."""
    snapshots: dict[int, Weights]
    """Step -> weights after it, for those that were asked for and reached."""


class Engine(Protocol):
    """Trains members; the result of one never depends on which others are in the list."""

    numerics: str
    """Names everything about the engine that determines bytes."""

    def groups(self, members: Sequence[Member]) -> list[list[int]]:
        """Returns which members, by index, are best trained in one call of ``train``."""
        ...

    def train(self, members: Sequence[Member]) -> list[Trained]:
        """Trains every member by the protocol and returns what each gave."""
        ...


class Course:
    """A member's way through the protocol: what to train next, what was measured.

    An engine asks for ``stretch`` until it is None, trains it, and calls ``arrive``.
    """

    def __init__(self, member: Member) -> None:
        self.member = member
        self.done = member.first_step
        self.history: list[dict[str, Any]] = []
        self.best: Weights | None = None
        self.snapshots: dict[int, Weights] = {}
        self.diverged = False
        self.eval_time_s = 0.0
        self._best_loss = math.inf
        self._stops = evaluation_steps(member.config, member.first_step)
        self._batches = batches(member.material.train, member.config.batch_size, member.order)

    def stretch(self) -> tuple[list[Tensor], list[float]] | None:
        """Returns the batches and learning rates up to the next stop, or None at the end."""
        if self.diverged or len(self.history) == len(self._stops):
            return None
        until = self._stops[len(self.history)]
        until = min((s for s in self.member.snapshot_steps if self.done < s < until), default=until)
        steps = range(self.done, until)
        self.done = until
        return [next(self._batches) for _ in steps], [rate(self.member.config, s) for s in steps]

    def arrive(self, session: Trainee) -> None:
        """Measures the network where the stretch ended, if it is a stop of the protocol."""
        if self.done in self.member.snapshot_steps:
            self.snapshots[self.done] = session.weights()
        if self.done != self._stops[len(self.history)]:
            return
        began, material = time.perf_counter(), self.member.material
        loss, accuracy = session.evaluate(material.validation)
        self.diverged = not math.isfinite(loss)
        entry: dict[str, Any] = {"step": self.done, "val_loss": None if self.diverged else loss}
        entry["val_accuracy"] = accuracy
        if self.member.config.eval_test and not self.diverged:
            entry |= _tested(session, material)
        self.history.append(entry)
        improved, observe = loss < self._best_loss, None if self.diverged else self.member.observe
        weights = session.weights() if improved or observe is not None else {}
        if improved:
            self._best_loss, self.best = loss, weights
        if observe is not None and (own := observe(self.done, weights)) is not None:
            entry["measured"] = dict(own)
        self.eval_time_s += time.perf_counter() - began

    def finish(self, session: Trainee, seconds: float) -> Trained:
        """Measures the early-stopping network and returns the result of ``seconds`` of training."""
        weights, began = session.weights(), time.perf_counter()
        measures = _measures(self, session)
        measuring = time.perf_counter() - began
        steps = self.done - self.member.first_step
        return Trained(
            measures={**measures, "steps_trained": steps, "diverged": self.diverged},
            history=self.history,
            times={
                "train_time_s": seconds + measuring,
                "eval_time_s": self.eval_time_s + measuring,
            },
            weights=weights,
            snapshots=self.snapshots,
        )


def follow(session: Session, member: Member, began: float | None = None) -> Trained:
    """Trains one member from beginning to end: what an engine does that takes one at a time.

    Args:
        session: the network, opened.
        member: what is trained.
        began: ``time.perf_counter()`` before the session was opened, which is part of the
            training's time; None is now.
    """
    began = time.perf_counter() if began is None else began
    course = Course(member)
    while (stretch := course.stretch()) is not None:
        session.run(member.material.pool, *stretch)
        course.arrive(session)
    return course.finish(session, time.perf_counter() - began)


def _tested(session: Trainee, material: Material) -> dict[str, float | None]:
    """Measures the test set; a loss that is not finite is null, as JSON has no name for it."""
    loss, accuracy = session.evaluate(material.test)
    return {"test_loss": loss if math.isfinite(loss) else None, "test_accuracy": accuracy}


def _measures(course: Course, session: Trainee) -> dict[str, Any]:
    """Measures training and test examples at the end and at the early-stopping step."""
    material, history = course.member.material, course.history
    chance = 1 / material.classes
    sample = material.train_sample if len(material.train_sample) else None
    last = history[-1]
    if course.diverged:
        end = {"val_accuracy": chance, "val_loss": None, "test_accuracy": chance, "test_loss": None}
        end["train_accuracy"] = chance if sample else None
    else:
        end = dict(last)
        if "test_accuracy" not in end:
            end |= _tested(session, material)
        end["train_accuracy"] = session.evaluate(sample)[1] if sample else None
    finite = [entry for entry in history if entry["val_loss"] is not None]
    if course.best is None:
        found = {**end, "step": last["step"]}
    else:
        found = dict(min(finite, key=lambda entry: entry["val_loss"]))
        if found["step"] == last["step"]:
            found |= end
        else:
            session.load(course.best)
            if "test_accuracy" not in found:
                found |= _tested(session, material)
            found["train_accuracy"] = session.evaluate(sample)[1] if sample else None
    names = ("val_accuracy", "val_loss", "test_accuracy", "test_loss", "train_accuracy")
    return {
        "early_stop_step": found["step"],
        "early_stop_at_end": found["step"] == last["step"],
        "start_val_accuracy": history[0]["val_accuracy"],
        **{name: found[name] for name in names},
        **{f"end_{name}": end[name] for name in names},
        **own_columns(history, found, end),
    }
