"""What does a step of one network cost when K of them are trained as one?

LeNet-300-100, Adam, batches of 60 of MNIST's size and shape (the pictures are noise: no product
here looks at values). For every K the stacked engine trains K members with their own data orders;
the torch engine trains one. All take turns, and the medians are compared:

    python -m benchmarks.stacked
    python -m benchmarks.stacked --steps 5 --gangs 1 8    # something for a CPU

``--evaluate`` measures 5,000 + 10,000 examples every 100 steps as the studies do; without it, one.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, replace
from statistics import median

import numpy as np
import torch
import tyro

from lttune.config import ModelConfig, TrainConfig, require
from lttune.config.seeding import stream
from lttune.data.resident import Examples
from lttune.errors import LttuneError
from lttune.models import build
from lttune.models.masks import ones
from lttune.training.engines.stacked import StackedEngine
from lttune.training.engines.torch import TorchEngine
from lttune.training.protocol import Engine, Material, Member

NETWORK = build(ModelConfig(), (28, 28), 10)
TRAIN, VALIDATION, TEST = 55_000, 5_000, 10_000


@dataclass(frozen=True, kw_only=True)
class StackedBenchmark:
    """What is measured, and for how long."""

    gangs: tuple[int, ...] = (1, 8, 64, 256)
    """Sizes of gangs, all slots filled."""
    steps: int = 300
    """Optimizer steps of one measurement."""
    repetitions: int = 5
    """Measurements of each size and of the torch engine."""
    evaluate: bool = False
    """Whether to evaluate as a study does."""
    shared_batches: bool = False
    """Whether all members see the same batches, and the first layer is one product."""
    device: str = "cuda" if torch.cuda.is_available() else "cpu"
    """Where to train."""

    def __post_init__(self) -> None:
        """Raises ``ConfigError`` if a field breaks its rule."""
        for name in ("steps", "repetitions"):
            require(getattr(self, name) >= 1, name, "a whole number >= 1", getattr(self, name))
        require(min(self.gangs, default=0) >= 1, "gangs", "whole numbers >= 1", self.gangs)


def material(config: StackedBenchmark) -> Material:
    """Returns noise of MNIST's size; one example to evaluate unless evaluation is measured."""
    rng = np.random.default_rng(0)

    def examples(count: int) -> Examples:
        x = torch.from_numpy(rng.integers(0, 256, (count, 28, 28), dtype=np.uint8))
        y = torch.from_numpy(rng.integers(0, 10, count))
        return Examples(x.to(config.device), y.to(config.device), 33.3, 0.0127)

    counts = (VALIDATION, TEST) if config.evaluate else (1, 1)
    return Material(
        pool=examples(TRAIN),
        train=np.arange(TRAIN),
        validation=examples(counts[0]),
        test=examples(counts[1]),
        train_sample=examples(0),
        classes=10,
    )


def seconds(engine: Engine, count: int, config: StackedBenchmark, of: Material) -> float:
    """Returns what the training of ``count`` members takes."""
    weights = NETWORK.initial_weights(stream(0, 0, "init"))
    every = min(100, config.steps) if config.evaluate else config.steps
    train = TrainConfig(steps=config.steps, eval_every=every)
    first = Member(
        network=NETWORK,
        start=weights,
        mask=ones(weights, NETWORK.prunable),
        config=train,
        material=of,
        order=stream(0, 0, "order"),
        noise=stream(0, 0, "noise"),
    )
    orders = [0 if config.shared_batches else replicate for replicate in range(count)]
    members = [replace(first, order=stream(0, replicate, "order")) for replicate in orders]
    began = time.perf_counter()
    engine.train(members)
    return time.perf_counter() - began


def run(config: StackedBenchmark) -> dict[str, float]:
    """Returns the median microseconds per member-step of the torch engine and of every gang."""
    of = material(config)
    engines: dict[str, tuple[Engine, int]] = {"torch, one by one": (TorchEngine(config.device), 1)}
    for size in config.gangs:
        engine = StackedEngine(config.device, size, shared_batches=config.shared_batches)
        engines[f"stacked, K = {size}"] = engine, size
    short = replace(config, steps=min(5, config.steps))
    for engine, count in engines.values():
        seconds(engine, count, short, of)
    spent: dict[str, list[float]] = {name: [] for name in engines}
    names = list(engines)
    for repetition in range(config.repetitions):
        # Each round begins with another engine, so that a slow while slows all of them.
        first = repetition % len(names)
        for name in names[first:] + names[:first]:
            engine, count = engines[name]
            spent[name].append(seconds(engine, count, config, of) / count)
    return {name: 1e6 * median(values) / config.steps for name, values in spent.items()}


def main() -> int:
    """Measures, prints the table, and returns the exit code."""
    try:
        config = tyro.cli(
            StackedBenchmark, prog="python -m benchmarks.stacked", description=__doc__
        )
        result = run(config)
    except LttuneError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    where = torch.cuda.get_device_name() if config.device != "cpu" else "cpu, one thread"
    print(f"{where}, torch {torch.__version__}, {config.steps} steps, {config.repetitions} rounds")
    base, *_ = result.values()
    for name, each in result.items():
        print(f"{name:20} {each:10.1f} us per member-step {base / each:8.2f}x torch's throughput")
    return 0


if __name__ == "__main__":
    sys.exit(main())
