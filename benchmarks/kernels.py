"""The sparse engine level by level: ``python -m benchmarks.kernels [steps] [repetitions]``.

LeNet-300-100 on MNIST, batch 60, Adam, one thread. A trajectory of 21 levels is trained with few
steps: after each the smallest weights go (.2 of the hidden layers, .1 of the last), the others are
rewound. At every level the sparse engine, the torch engine and a plain eager loop take the same
steps under the same mask, in turn, and measure the same 15,000 examples; the medians count.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Mapping
from statistics import median

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Adam, Optimizer

from benchmarks.baselines import BATCH_SIZE, EVAL_BATCH_SIZE, LR, lenet
from lttune.config import LotteryConfig, TrainConfig
from lttune.config.seeding import stream
from lttune.data import load, split
from lttune.data.resident import resident
from lttune.models import build
from lttune.models.masks import Mask, apply, density, ones
from lttune.pruning.criteria import evidence_of
from lttune.pruning.rule import prune
from lttune.training.engines.sparse.engine import SparseEngine
from lttune.training.engines.torch import TorchEngine

LEVELS = 21
EVAL_EVERY = 100
"""Steps; a level's cost includes this share of an evaluation."""
ENGINES: tuple[str, ...] = ("sparse", "torch", "eager")
StepTimes = tuple[float, float]
"""Microseconds of a step, and of an evaluation divided by the steps between two."""


class EagerSteps:
    """A plain loop: float tensors in memory, autograd, PyTorch's optimizer, weights times mask."""

    def __init__(
        self,
        model: nn.Module,
        start: Mapping[str, Tensor],
        mask: Mask,
        optimizer: Callable[[list[nn.Parameter]], Optimizer],
    ) -> None:
        self._model = model
        moments = [buffer for buffer in model.buffers() if buffer.is_floating_point()]
        parameters = dict(zip(start, [*model.parameters(), *moments], strict=True))
        with torch.no_grad():
            for name, parameter in parameters.items():
                parameter.copy_(start[name])
        dense = density(mask) == 1
        self._masked = [] if dense else [(parameters[name], keep) for name, keep in mask.items()]
        self._optimizer = optimizer(list(model.parameters()))

    def run(self, batches: Iterable[tuple[Tensor, Tensor]]) -> None:
        for x, y in batches:
            self._optimizer.zero_grad()
            functional.cross_entropy(self._model(x), y).backward()
            self._optimizer.step()
            with torch.no_grad():
                for weight, keep in self._masked:
                    weight.mul_(keep)

    @torch.no_grad()
    def evaluate(self, x: Tensor, y: Tensor) -> tuple[float, float]:
        loss, correct = 0.0, 0
        self._model.eval()
        for inputs, labels in zip(x.split(EVAL_BATCH_SIZE), y.split(EVAL_BATCH_SIZE), strict=True):
            logits = self._model(inputs)
            loss += functional.cross_entropy(logits, labels, reduction="sum").item()
            correct += int((logits.argmax(1) == labels).sum())
        self._model.train()
        return loss / len(x), correct / len(x)


def seconds(act: Callable[[], object]) -> float:
    """Returns the processor seconds of this thread, in which waiting for others does not count."""
    start = time.thread_time()
    act()
    return time.thread_time() - start


def useful_flops(mask: Mask) -> int:
    """Returns a step's operations on surviving weights; the first layer has no input gradient."""
    counts = [int(keep.sum()) for keep in mask.values()]
    return 2 * BATCH_SIZE * (3 * sum(counts) - counts[0])


def product_rate() -> float:
    """Returns GFLOP/s of the dense product of the first layer, the best of many."""
    x, w = torch.rand(BATCH_SIZE, 784), torch.rand(300, 784)
    out = torch.empty(BATCH_SIZE, 300)
    best = min(seconds(lambda: torch.mm(x, w.T, out=out)) for _ in range(300))
    return 2 * BATCH_SIZE * 784 * 300 / best / 1e9


class Bench:
    """What every level shares: the examples, the batches, the engines."""

    def __init__(self, steps: int) -> None:
        dataset = load("mnist")
        self.pool, self.test = resident(dataset)
        train_index, validation_index = split(dataset, None, seed=0, replicate=0)
        self.validation = self.pool.take(validation_index)
        self.floats = [
            (part.slice(0, len(part))[0].flatten(1), part.y)
            for part in (self.pool, self.validation, self.test)
        ]
        self.network = build(LotteryConfig().model, dataset.shape, dataset.classes)
        order = np.random.default_rng(0).permutation(train_index)
        self.batches = torch.from_numpy(order[: steps * BATCH_SIZE]).split(BATCH_SIZE)
        self.engines = {"sparse": SparseEngine(), "torch": TorchEngine()}

    def level(
        self, start: Mapping[str, Tensor], mask: Mask, repetitions: int
    ) -> tuple[dict[str, StepTimes], dict[str, Tensor]]:
        """Returns what a step and its share of an evaluation take (us), and weights to prune by."""
        # As in a ticket: what is pruned is zero, else the torch engine would hold its value.
        start = apply(start, mask)
        config = TrainConfig(lr=LR, batch_size=BATCH_SIZE)
        opened = {n: e.open(self.network, start, mask, config) for n, e in self.engines.items()}
        shapes = self.network.shapes
        plain = lenet(shapes["fc1.weight"][1], shapes["out.bias"][0])
        eager = EagerSteps(plain, start, mask, lambda parameters: Adam(parameters, LR))
        count = len(self.batches)
        runs: dict[str, Callable[[], object]] = {
            name: lambda s=session: s.run(self.pool, self.batches, [LR] * count)
            for name, session in opened.items()
        }
        evaluations: dict[str, Callable[[], object]] = {
            name: lambda s=session: (s.evaluate(self.validation), s.evaluate(self.test))
            for name, session in opened.items()
        }
        x, y = self.floats[0]
        runs["eager"] = lambda: eager.run((x[index], y[index]) for index in self.batches)
        evaluations["eager"] = lambda: [eager.evaluate(*part) for part in self.floats[1:]]
        times: dict[str, list[StepTimes]] = {name: [] for name in ENGINES}
        for repetition in range(repetitions):
            first = repetition % len(ENGINES)
            for name in ENGINES[first:] + ENGINES[:first]:
                step, evaluation = seconds(runs[name]), seconds(evaluations[name])
                times[name].append((1e6 * step / count, 1e6 * evaluation / EVAL_EVERY))
        medians = {
            name: (median(t[0] for t in pairs), median(t[1] for t in pairs))
            for name, pairs in times.items()
        }
        return medians, opened["sparse"].weights()


def measure(steps: int, repetitions: int) -> None:
    """Prints a row for each level, and the ratios of the whole trajectory."""
    torch.set_num_threads(1)
    bench = Bench(steps)
    start = bench.network.initial_weights(stream(0, 0, "init"))
    mask = ones(start, bench.network.prunable)
    # The first round compiles and lists the pixels.
    bench.level(start, mask, 1)
    totals, dense = dict.fromkeys(ENGINES, 0.0), 0.0
    head = "".join(f"{name + ' step':>12}{'+ eval':>8}" for name in ENGINES)
    print(f"density {head}  step/eager  step/dense  GFLOP/s  product")
    for _ in range(LEVELS):
        times, weights = bench.level(start, mask, repetitions)
        for name, pair in times.items():
            totals[name] += sum(pair)
        step = times["sparse"][0]
        dense = dense or step
        print(
            f"{density(mask):7.4f} "
            + "".join(f"{a:12.0f}{b:8.0f}" for a, b in times.values())
            + f"{step / times['eager'][0]:12.3f}{step / dense:12.3f}"
            + f"{useful_flops(mask) / step / 1e3:9.1f}{product_rate():9.1f}",
            flush=True,
        )
        mask = prune(evidence_of(weights, mask, bench.network), LotteryConfig().prune)
    for name in ENGINES[1:]:
        print(f"{LEVELS} levels, sparse over {name}: {totals[name] / totals['sparse']:.2f} times")


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:]]
    measure(*(numbers + [200, 3][len(numbers) :]))
