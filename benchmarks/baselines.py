"""The loop that lttune is compared with: plain PyTorch as a good programmer writes it.

The dataset lies in memory as float tensors, a batch is an index, the optimizer is
``torch.optim.Adam`` as it comes, and after each step every layer is multiplied by its mask.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.trajectory import BATCH_SIZE, EVAL_EVERY, LR, Timed, Workload
from lttune.models.masks import density
from lttune.trajectory.task import Ticket

__all__ = ["BATCH_SIZE", "EVAL_BATCH_SIZE", "LR", "Eager", "lenet"]

Batch = tuple[Tensor, Tensor]

EVAL_BATCH_SIZE = 1000


def lenet(inputs: int, classes: int) -> nn.Module:
    """Returns LeNet-300-100 as PyTorch initialises it."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(inputs, 300),
        nn.ReLU(),
        nn.Linear(300, 100),
        nn.ReLU(),
        nn.Linear(100, classes),
    )


def resident(workload: Workload, x: np.ndarray) -> Tensor:
    """Returns the pictures as network inputs, one row each."""
    mean, std = workload.scaling
    floats = torch.from_numpy(x).float().div_(workload.dataset.scale)
    return floats.sub_(mean).div_(std).flatten(1)


def evaluate(model: nn.Module, batches: Iterable[Batch]) -> tuple[float, float]:
    """Returns mean loss and accuracy."""
    model.eval()
    loss, correct, count = 0.0, 0, 0
    with torch.no_grad():
        for x, y in batches:
            logits = model(x)
            loss += functional.cross_entropy(logits, y, reduction="sum").item()
            correct += int((logits.argmax(1) == y).sum())
            count += len(y)
    model.train()
    return loss / count, correct / count


def train(
    ticket: Ticket, batches: Iterable[Batch], held_out: Sequence[Iterable[Batch]], *, once: bool
) -> Timed:
    """Trains on every batch once and evaluates as the protocol does, or ``once``, at the end."""
    start = ticket.start
    model = lenet(start["fc1.weight"].shape[1], len(start["out.bias"]))
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), start.values(), strict=True):
            parameter.copy_(value)
    weights = [parameter for parameter in model.parameters() if parameter.ndim == 2]
    # Nobody would multiply a dense network by ones.
    masks = [] if density(ticket.mask) == 1 else [keep.float() for keep in ticket.mask.values()]
    masked = list(zip(weights, masks, strict=False))
    optimizer = torch.optim.Adam(model.parameters(), lr=LR)
    evaluations: list[float] = []

    def measure() -> None:
        began = time.perf_counter()
        for part in held_out:
            evaluate(model, part)
        evaluations.append(time.perf_counter() - began)

    began, step, measured = time.perf_counter(), 0, 0
    if not once:
        measure()
    for step, (x, y) in enumerate(batches, start=1):
        optimizer.zero_grad()
        functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        with torch.no_grad():
            for weight, keep in masked:
                weight.mul_(keep)
        if step % EVAL_EVERY == 0 and not once:
            measure()
            measured = step
    if step > measured:
        measure()
    return Timed(
        steps_s=time.perf_counter() - began - sum(evaluations),
        evaluation_s=sum(evaluations) / len(evaluations),
        weights={n: p.detach() for n, p in zip(start, model.parameters(), strict=True)},
    )


class Eager:
    """The plain loop over a resident dataset."""

    def __init__(self, workload: Workload) -> None:
        dataset = workload.dataset
        self._x, self._y = resident(workload, dataset.train_x), torch.from_numpy(dataset.train_y)
        held_out = torch.from_numpy(workload.indices[1])
        test = resident(workload, dataset.test_x), torch.from_numpy(dataset.test_y)
        self._held_out = [
            list(zip(x.split(EVAL_BATCH_SIZE), y.split(EVAL_BATCH_SIZE), strict=True))
            for x, y in ((self._x[held_out], self._y[held_out]), test)
        ]

    def level(self, ticket: Ticket, train_on: np.ndarray, steps: int) -> Timed:
        """Trains a level; a batch is a slice of a random order."""
        indices = torch.from_numpy(train_on)
        x, y = self._x, self._y

        def epoch() -> Iterator[Batch]:
            order = indices[torch.randperm(len(indices))]
            return ((x[index], y[index]) for index in order.split(BATCH_SIZE))

        return train(ticket, epoch(), self._held_out, once=False)
