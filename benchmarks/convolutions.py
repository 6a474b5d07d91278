"""Conv-2, Conv-4, ResNet-20 level by level: the sparse and the torch engine, a plain eager loop.

ResNet-20 is trained with the pictures as they are, and as ``resnet20_augmented`` with those of its
preset, flipped and cropped; the eager loop augments a batch by the function that the engines call.

One thread, the paper's batches, optimizers and pruning rates. At every level all three take the
same steps under the same mask, in turn, and measure the same pictures; the smallest weights go, the
others are rewound. A level costs its steps and an evaluation of 15,000 pictures every 100.
Processor seconds of the thread, medians of the repetitions. Some fifteen minutes, on CIFAR-10 or
pictures like it; what the file has of other networks stays there:

    python -m benchmarks.convolutions --pictures cifar10
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
import tyro
from torch import Tensor, nn
from torch.optim import Optimizer

from benchmarks import machine
from benchmarks.kernels import EVAL_EVERY, LEVELS, EagerSteps, seconds
from lttune.config import LotteryConfig, TrainConfig
from lttune.config.presets import CONV_2, CONV_4, RESNET_20
from lttune.config.seeding import stream
from lttune.data import Dataset, load
from lttune.data.resident import Examples, resident
from lttune.models import Network, build
from lttune.models.masks import Mask, apply, density, ones
from lttune.pruning.criteria import evidence_of
from lttune.pruning.rule import prune
from lttune.store.plain_json import read_json, write_json
from lttune.training.engines.sparse.engine import SparseEngine
from lttune.training.engines.torch import TorchEngine

NETWORKS: dict[str, LotteryConfig] = {
    "conv2": CONV_2,
    "conv4": CONV_4,
    "resnet20": RESNET_20.override({"data.augment": "none"}),
    "resnet20_augmented": RESNET_20,
}
DEPTHS = {"conv2": LEVELS, "conv4": LEVELS, "resnet20": 15, "resnet20_augmented": 15}
"""Levels of each."""
LOOPS = ("sparse", "torch", "eager")
EVALUATED = 15_000
"""Pictures of an evaluation, of which ``--evaluate`` are measured."""


@dataclass(frozen=True, kw_only=True)
class ConvolutionsConfig:
    """What is measured, and for how long."""

    pictures: str = "cifar10"
    """A dataset, or the path of one."""
    networks: tuple[str, ...] = tuple(NETWORKS)
    """Of conv2, conv4, resnet20, resnet20_augmented."""
    steps: int = 3
    """Optimizer steps of a repetition."""
    evaluate: int = 640
    """Pictures measured in a repetition."""
    repetitions: int = 3
    """Of each loop at each level."""
    out: Path = Path("benchmarks/convolutions.json")
    """File that receives the result."""


def _optimizer(train: TrainConfig) -> Callable[[list[nn.Parameter]], Optimizer]:
    """Returns what makes the optimizer of a training as PyTorch has it."""
    if train.optimizer == "adam":
        return lambda parameters: torch.optim.Adam(parameters, train.lr)
    factor, decay = train.momentum, train.weight_decay
    return lambda parameters: torch.optim.SGD(parameters, train.lr, factor, weight_decay=decay)


def level(
    network: Network,
    start: Mapping[str, Tensor],
    mask: Mask,
    pool: Examples,
    batches: Sequence[Tensor],
    config: ConvolutionsConfig,
    train: TrainConfig,
) -> tuple[dict[str, list[float]], dict[str, Tensor]]:
    """Returns milliseconds of a step and of its share of an evaluation, and weights to prune by."""
    start = apply(start, mask)
    engines = {"sparse": SparseEngine(), "torch": TorchEngine()}
    draws = {name: stream(0, 0, "order-noise") for name in LOOPS}
    opened = {name: e.open(network, start, mask, train, draws[name]) for name, e in engines.items()}
    eager = EagerSteps(network.opened("cpu"), start, mask, _optimizer(train))
    rates = [train.lr] * len(batches)
    few = Examples(pool.x[: config.evaluate], pool.y[: config.evaluate], pool.shift, pool.gain)
    measured = few.slice(0, len(few))
    runs: dict[str, Callable[[], object]] = {
        name: lambda s=session: s.run(pool, batches, rates) for name, session in opened.items()
    }
    evaluations: dict[str, Callable[[], object]] = {
        name: lambda s=session: s.evaluate(few) for name, session in opened.items()
    }
    if pool.augment == "none":
        x, y = pool.slice(0, len(pool))
        runs["eager"] = lambda: eager.run((x[index], y[index]) for index in batches)
    else:
        runs["eager"] = lambda: eager.run(pool.batch(index, draws["eager"]) for index in batches)
    evaluations["eager"] = lambda: eager.evaluate(*measured)
    share = EVALUATED / len(few) / EVAL_EVERY
    steps, parts = {name: list[float]() for name in LOOPS}, {name: list[float]() for name in LOOPS}
    for name in LOOPS:
        runs[name]()
    for repetition in range(config.repetitions):
        first = repetition % len(LOOPS)
        for name in LOOPS[first:] + LOOPS[:first]:
            steps[name].append(1e3 * seconds(runs[name]) / len(batches))
            parts[name].append(1e3 * share * seconds(evaluations[name]))
    times = {name: [median(steps[name]), median(parts[name])] for name in LOOPS}
    return times, opened["sparse"].weights()


def trajectory(name: str, dataset: Dataset, config: ConvolutionsConfig) -> list[dict[str, Any]]:
    """Returns and prints what every level of a network costs."""
    lottery = NETWORKS[name]
    network = build(lottery.model, dataset.shape, dataset.classes)
    pool = dataclasses.replace(resident(dataset)[0], augment=lottery.data.augment)
    start = network.initial_weights(stream(0, 0, "init"))
    size = lottery.train.batch_size
    order = stream(0, 0, "order").permutation(len(pool))[: config.steps * size]
    batches = torch.from_numpy(order).split(size)
    mask, found = ones(start, network.prunable), list[dict[str, Any]]()
    print(f"{name}: milliseconds of a step + of its share of an evaluation")
    for number in range(DEPTHS[name]):
        times, weights = level(network, start, mask, pool, batches, config, lottery.train)
        row = {"level": number, "density": density(mask), "ms": times}
        found.append(row)
        cells = [f"{loop} {step:6.1f} + {share:6.1f}" for loop, (step, share) in times.items()]
        ratio = sum(times["eager"]) / sum(times["sparse"])
        print(
            f"{number:2} {density(mask):7.4f}  " + "  ".join(cells) + f"  {ratio:5.2f}", flush=True
        )
        mask = prune(evidence_of(weights, mask, network), lottery.prune)
    return found


def main(config: ConvolutionsConfig) -> None:
    """Measures, prints, and writes the result."""
    torch.set_num_threads(1)
    dataset, result = load(config.pictures), dict[str, Any]()
    for name in config.networks:
        levels = trajectory(name, dataset, config)
        totals = {loop: sum(sum(row["ms"][loop]) for row in levels) for loop in LOOPS}
        first, last = levels[0]["ms"], levels[-1]["ms"]
        result |= {
            f"{name}_trajectory_vs_eager": totals["eager"] / totals["sparse"],
            f"{name}_trajectory_vs_torch": totals["torch"] / totals["sparse"],
            f"{name}_dense_level_vs_eager": sum(first["eager"]) / sum(first["sparse"]),
            f"{name}_last_level_vs_eager": sum(last["eager"]) / sum(last["sparse"]),
            f"{name}_levels": levels,
        }
    for key, value in result.items():
        if isinstance(value, float):
            print(f"{key} {value:.2f}")
    result |= {f"{name}_machine": machine.describe() for name in config.networks}
    before = read_json(config.out) if config.out.exists() else {}
    write_json(config.out, before | result)


if __name__ == "__main__":
    main(tyro.cli(ConvolutionsConfig, description=__doc__))
