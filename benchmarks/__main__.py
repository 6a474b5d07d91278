"""How much faster does lttune train LeNet-300-100 on MNIST than a plain PyTorch loop?

lttune's training, with the engine that a study chooses here and with its reference engine, and two
loops as one finds them take the same number of steps in one process, on one thread, in turn, again
and again; the medians are compared. Some minutes:

    python -m benchmarks

With ``--study results/NAME`` it also tells how much of a finished study's time was not training.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import tyro
from rich.console import Console

from benchmarks import baselines, machine, measurement, orchestration, ours, table
from lttune.config import ModelConfig, require
from lttune.data import load
from lttune.engines import choose
from lttune.errors import LttuneError
from lttune.files import write_json
from lttune.models import build


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """What is measured, and for how long."""

    steps: int = 1_000
    """Optimizer steps of one measurement; MNIST's epoch has 917."""
    eval_every: int = 100
    """Steps between evaluations where there are any."""
    repetitions: int = 7
    """Measurements of each loop, with and without evaluations."""
    out: Path = Path("benchmarks/latest.json")
    """File that receives the result."""
    study: Path | None = None
    """Folder of a finished study, whose overhead is added."""

    def __post_init__(self) -> None:
        """Raises ``ConfigError`` if a field breaks its rule."""
        for name in ("steps", "eval_every", "repetitions"):
            require(getattr(self, name) >= 1, name, "a whole number >= 1", getattr(self, name))
        rule = f"at most steps ({self.steps})"
        require(self.eval_every <= self.steps, "eval_every", rule, self.eval_every)


def run(config: BenchmarkConfig) -> dict[str, Any]:
    """Returns everything that ``latest.json`` holds."""
    # First, so that a wrong folder is not found out minutes later.
    overhead = None if config.study is None else orchestration.share(config.study)
    torch.set_num_threads(1)
    dataset = load("mnist")
    network = build(ModelConfig(), dataset.shape, dataset.classes)
    fast, _ = choose("auto", network, "cpu")
    loops = {
        "lttune": ours.ours(dataset, fast),
        "torch_engine": ours.ours(dataset, "torch"),
        "plain": baselines.plain(dataset),
        "dataloader": baselines.dataloader(dataset),
    }
    seconds = measurement.measure(
        loops,
        steps=config.steps,
        eval_every=config.eval_every,
        repetitions=config.repetitions,
    )
    result = measurement.summary(seconds, config.steps)
    result["settings"] = {
        "engine": fast,
        "network": "LeNet-300-100",
        "dataset": "MNIST",
        "batch_size": baselines.BATCH_SIZE,
        "optimizer": "Adam",
        "validation": dataset.validation,
        "steps": config.steps,
        "eval_every": config.eval_every,
        "repetitions": config.repetitions,
    }
    result["machine"] = machine.describe()
    if overhead is not None:
        result["orchestration"] = overhead
    return result


def main() -> int:
    """Measures, writes the result, prints it, and returns the exit code."""
    config = tyro.cli(BenchmarkConfig, prog="python -m benchmarks", description=__doc__)
    try:
        result = run(config)
    except LttuneError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    write_json(config.out, result)
    table.show(result, Console())
    return 0


if __name__ == "__main__":
    sys.exit(main())
