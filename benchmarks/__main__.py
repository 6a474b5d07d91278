"""How much faster does lttune train LeNet-300-100 on MNIST than a plain PyTorch loop?

lttune's sparse engine, its reference engine and two loops as one finds them train trajectories of
the same levels, steps and evaluations in one process, on one thread, in turn, again and again; the
medians are compared. Then two trials run at once, and a study. Seven to nine minutes on two cores:

    python -m benchmarks
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import tyro
from rich.console import Console

from benchmarks import bars, chart, loops, machine, measurement, memory, orchestration, pair, table
from benchmarks.trajectory import BATCH_SIZE, EVAL_EVERY, LEVELS
from lttune.config import require
from lttune.errors import LttuneError, ResourceError
from lttune.store.plain_json import write_json
from lttune.training.engines import sparse


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """What is measured, and for how long."""

    steps: int = 200
    """Optimizer steps of each level of a trajectory."""
    repetitions: int = 3
    """Trajectories of each loop; the sparse engine walks three times as many."""
    study_trials: int = 16
    """Trials of the study whose overhead is measured."""
    study_steps: int = 2_000
    """Optimizer steps of each of its networks."""
    out: Path = Path("benchmarks/latest.json")
    """File that receives the result."""
    figures: Path = Path("docs/figures")
    """Folder that receives the chart."""

    def __post_init__(self) -> None:
        """Raises ``ConfigError`` if a field breaks its rule."""
        for name in ("steps", "repetitions", "study_trials", "study_steps"):
            require(getattr(self, name) >= 1, name, "a whole number >= 1", getattr(self, name))


def run(config: BenchmarkConfig, say: Callable[[str], object]) -> dict[str, Any]:
    """Returns everything that ``latest.json`` holds; ``say`` is told what is being measured."""
    workload = loops.workload()
    if obstacle := sparse.obstacle():
        raise ResourceError(f"the benchmark measures the sparse engine, and {obstacle}")
    # It imports numba.
    from benchmarks.kernels import product_rate, useful_flops

    described = machine.describe()
    say("the loops")
    rate_before = product_rate()
    first, times, walls = measurement.measure(
        {name: loops.loop(name) for name in loops.TITLES},
        workload,
        config.steps,
        config.repetitions,
    )
    product = max(rate_before, product_rate())
    flops = [useful_flops(ticket.mask) for ticket in first.tickets]
    levels = measurement.level_summary(times, first, flops, product)
    trajectory = measurement.trajectory_summary(times, walls, config.steps)
    say("two trials at once")
    two_trials = pair.measure(config.steps, config.repetitions)
    say("memory")
    memory_mb = {name: memory.measure(name) for name in pair.WORK}
    say("a study")
    study = orchestration.measure(config.study_trials, config.study_steps)
    figures = bars.figures(levels, trajectory, two_trials, study)
    return {
        **figures,
        "bars": bars.judged(figures),
        "levels": levels,
        "trajectory": trajectory,
        "product_gflop_s": product,
        "two_trials": two_trials,
        "orchestration": study,
        "memory_mb": memory_mb,
        "settings": {
            "network": "LeNet-300-100",
            "dataset": "MNIST",
            "batch_size": BATCH_SIZE,
            "optimizer": "Adam",
            "levels": LEVELS,
            "eval_every": EVAL_EVERY,
            **{k: v for k, v in asdict(config).items() if not isinstance(v, Path)},
        },
        "machine": described,
    }


def main() -> int:
    """Measures, writes the result and the chart, prints it, and returns the exit code."""
    config = tyro.cli(BenchmarkConfig, prog="python -m benchmarks", description=__doc__)
    console = Console()
    try:
        with console.status("starting") as status:
            result = run(config, lambda part: status.update(f"measuring {part}"))
    except LttuneError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    write_json(config.out, result)
    chart.write(chart.drawing(result), config.figures)
    table.show(result, console)
    return 0


if __name__ == "__main__":
    sys.exit(main())
