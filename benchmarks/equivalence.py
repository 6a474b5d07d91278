"""Do the sparse and the reference engine find the same accuracies? Paired, level by level.

The same replicates (split, initialisation, data order) of LeNet-300-100 on MNIST are trained by
both engines. Rounding differs, and training amplifies it, so single networks differ; their
accuracies must not, on average. A density passes if the 90 % t-interval of the paired difference
lies within +-0.2 percentage points (two one-sided tests at 5 %). Some minutes:

    python -m benchmarks.equivalence
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table
from scipy import stats

from lttune.config.presets import LENET_300_100
from lttune.data import load
from lttune.store.store import Store
from lttune.training.engines import make
from lttune.trajectory.lab import Lab
from lttune.trajectory.trial import run_trial

MARGIN = 0.002


@dataclass(frozen=True, kw_only=True)
class EquivalenceConfig:
    """What is compared."""

    replicates: int = 8
    """Paired repetitions, at least 2."""
    steps: int = 1_000
    """Optimizer steps of each network."""
    levels: int = 10
    """Times to prune."""


def accuracies(engine: str, config: EquivalenceConfig, folder: Path) -> dict[float, list[float]]:
    """Returns test accuracy at the early-stopping step by density, one for each replicate."""
    lab = Lab({"mnist": load("mnist")}, make(engine, "cpu"), Store(folder))
    lottery = LENET_300_100.override(
        {
            "levels": config.levels,
            "train.steps": config.steps,
            "train.eval_every": min(100, config.steps),
            "train.eval_test": False,
            "train.eval_train": 0,
        }
    )
    found: dict[float, list[float]] = defaultdict(list)
    for report in run_trial(lottery, range(config.replicates), (), lab):
        for row in report["rows"]:
            found[row["density"]].append(row["test_accuracy"])
    return found


def main(config: EquivalenceConfig, console: Console) -> bool:
    """Prints the table; returns whether every density passes."""
    with tempfile.TemporaryDirectory() as folder:
        torch, sparse = (accuracies(e, config, Path(folder) / e) for e in ("torch", "sparse"))
    table = Table(title=f"sparse - torch, test accuracy in points, n = {config.replicates}")
    for name in ("density", "torch", "difference", "90 % interval", "within 0.2"):
        table.add_column(name, justify="right")
    passed = []
    for density, reference in torch.items():
        difference = np.subtract(sparse[density], reference)
        test = stats.ttest_1samp(difference, 0)
        low, high = test.confidence_interval(0.9)
        passed.append(bool(low > -MARGIN and high < MARGIN))
        table.add_row(
            f"{density:.1%}",
            f"{100 * np.mean(reference):.2f}",
            f"{100 * difference.mean():+.3f}",
            f"{100 * low:+.3f} .. {100 * high:+.3f}",
            "yes" if passed[-1] else "no",
        )
    console.print(table)
    return all(passed)


if __name__ == "__main__":
    raise SystemExit(not main(tyro.cli(EquivalenceConfig, description=__doc__), Console()))
