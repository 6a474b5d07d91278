"""Linear mode connectivity: is the straight line between two networks as good as its ends?

Frankle et al. (2020), section 2, train one ticket twice with different data orders. The error
barrier is the largest excess of the error on the way from one to the other over the straight line
between the errors of the two; it is 0 where no point of the way is worse. (They take the excess
over the mean of the two errors: the same where both are equally good.)

Running moments of batch norm do not lie on the line: they are measured anew at every point, on
training examples, as in Izmailov et al. (2018).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from lttune.config.seeding import stream
from lttune.data.resident import Examples
from lttune.models import Network
from lttune.models.layers import NORMS
from lttune.models.masks import Weights
from lttune.store.cells import Cell
from lttune.store.store import Stored
from lttune.training.engines.processor import processor
from lttune.trajectory.task import Task, weights_of

if TYPE_CHECKING:  # A laboratory has networks loaded to be measured.
    from lttune.trajectory.lab import Lab

POINTS = 11
"""Points on the line, both ends included."""
CHUNK = 1_000
"""Examples of a forward pass."""
MOMENTS = 10_000
"""Training examples on which running moments are measured."""

NONE: dict[str, float | None] = {"barrier_test_error": None, "barrier_train_error": None}
"""The columns where nothing is compared."""


def barriers(task: Task, ends: Sequence[Stored], lab: Lab) -> dict[str, float | None]:
    """Returns the error barriers between two trainings of one ticket, for the records.

    Args:
        task: the ticket and its examples.
        ends: the two cells, with their end weights.
        lab: whose store keeps the barriers in a cell of their own.
    """
    if any(end.cell.record["measures"]["diverged"] for end in ends):
        return NONE
    version = torch.__version__.partition("+")[0]
    identity = {
        "ends": [end.key for end in ends],
        "points": POINTS,
        "numerics": f"torch-{version}/{processor(torch.device(lab.device))}/float32",
    }
    found = lab.store.obtain([identity], lambda _: [_measured(task, ends, lab)])[0]
    return found.cell.record["barriers"]


def _measured(task: Task, ends: Sequence[Stored], lab: Lab) -> Cell:
    """Returns the cell of a pair: the errors of all points, and the barriers."""
    material, network = lab.material(task.config, task.replicate), task.network
    order = stream(lab.seed, task.replicate, "moments").permutation(material.train)
    moments = material.pool.take(order[:MOMENTS]) if network.buffers else None
    one, other = (weights_of(end.cell, network) for end in ends)
    samples = {"test": material.test}
    if len(material.train_sample):
        samples["train"] = material.train_sample
    errors: dict[str, list[float]] = {name: [] for name in samples}
    for point in range(POINTS):
        weights = weights_between(one, other, point / (POINTS - 1))
        module = loaded(network, weights, lab.device, moments)
        for name, examples in samples.items():
            errors[name].append(error(module, examples))
    found = {f"barrier_{name}_error": barrier(values) for name, values in errors.items()}
    return Cell(record={"barriers": NONE | found, "errors": errors})


def weights_between(one: Weights, other: Weights, share: float) -> Weights:
    """Returns the weights at a share of the way from one network to another; 0 and 1 are they."""
    return {
        name: torch.lerp(value, other[name], share) if value.is_floating_point() else value
        for name, value in one.items()
    }


def barrier(errors: Sequence[float]) -> float:
    """Returns the largest excess of errors at equally spaced points over the line of their ends."""
    last = len(errors) - 1
    line = [errors[0] + (errors[-1] - errors[0]) * at / last for at in range(last + 1)]
    return max(0.0, *(value - level for value, level in zip(errors, line, strict=True)))


@torch.no_grad()
def loaded(
    network: Network, weights: Weights, device: str, moments: Examples | None = None
) -> nn.Module:
    """Returns a module with these weights, ready to be evaluated.

    Args:
        network: its architecture.
        weights: with running moments where the network has them.
        device: where the examples are.
        moments: examples on which running moments are measured anew; None keeps the given ones.
    """
    module = network.opened(device).eval()
    module.load_state_dict({n: v.to(device) for n, v in weights.items()}, strict=False)
    for name, buffer in module.named_buffers():
        if name in weights:  # Those that are not persistent are in no state_dict.
            buffer.copy_(weights[name])
    norms = [part for part in module.modules() if isinstance(part, NORMS)]
    if moments is not None and norms:
        for part in norms:
            part.reset_running_stats()
            part.momentum = None  # The mean over all batches, each as heavy.
            part.train()
        for _, _ in _passes(module, moments):
            pass
        module.eval()
    return module


@torch.no_grad()
def error(module: nn.Module, examples: Examples) -> float:
    """Returns the share of examples that a module gets wrong, in [0, 1]."""
    wrong = sum(int((logits.argmax(1) != y).sum()) for logits, y in _passes(module, examples))
    return wrong / len(examples)


def _passes(module: nn.Module, examples: Examples) -> Iterator[tuple[Tensor, Tensor]]:
    """Yields logits and classes of consecutive examples."""
    for start in range(0, len(examples), CHUNK):
        x, y = examples.slice(start, start + CHUNK)
        yield module(x), y
