"""Do the sparse and the reference engine find the same accuracies? Paired, level by level.

The same replicates (split, initialisation, data order) of LeNet-300-100 on MNIST, or of Conv-2 on
CIFAR-10, are trained by both engines. Rounding differs, and training amplifies it, so single
networks differ; their accuracies must not, on average. A density passes if the 90 % t-interval of
the paired difference lies within a margin, +-0.2 percentage points for LeNet-300-100 and +-0.5 for
Conv-2 (two one-sided tests at 5 %). Some minutes, and an hour and more:

    python -m benchmarks.equivalence
    python -m benchmarks.equivalence --network conv-2 --steps 250 --levels 3 --at-once 6 --at FOLDER

A folder that is named keeps the networks: the same command again goes on where it was ended.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table
from scipy import stats

from lttune.config import LotteryConfig
from lttune.config.presets import CONV_2, LENET_300_100
from lttune.data import load
from lttune.store.store import Store
from lttune.training.engines import make
from lttune.trajectory.lab import Lab
from lttune.trajectory.trial import run_trial

NetworkName = Literal["lenet-300-100", "conv-2"]
NETWORKS: dict[NetworkName, tuple[LotteryConfig, float]] = {
    "lenet-300-100": (LENET_300_100, 0.002),
    "conv-2": (CONV_2, 0.005),
}
"""Network -> the paper's configuration, and the largest mean difference that counts as none."""


@dataclass(frozen=True, kw_only=True)
class EquivalenceConfig:
    """What is compared."""

    network: NetworkName = "lenet-300-100"
    """Network that is trained, on the dataset of the paper's."""
    replicates: int = 8
    """Paired repetitions, at least 2."""
    steps: int = 1_000
    """Optimizer steps of each network."""
    levels: int = 10
    """Times to prune."""
    at_once: int = 1
    """Levels of the paper's that are one here: each layer loses as much as in all of them."""
    at: Path | None = None
    """Folder that keeps the networks; None keeps them nowhere."""


def accuracies(engine: str, config: EquivalenceConfig, folder: Path) -> dict[float, list[float]]:
    """Returns test accuracy at the early-stopping step by density, one for each replicate."""
    lottery = NETWORKS[config.network][0].override(
        {
            "levels": config.levels,
            "train.steps": config.steps,
            "train.eval_every": min(100, config.steps),
            "train.eval_test": False,
            "train.eval_train": 0,
        }
    )
    fractions = {
        name: 1 - (1 - value) ** config.at_once
        for name, value in lottery.flat().items()
        if name.startswith("prune.fraction")
    }
    lottery, name = lottery.override(fractions), lottery.data.name
    lab = Lab({name: load(name)}, make(engine, "cpu"), Store(folder))
    found: dict[float, list[float]] = defaultdict(list)
    for report in run_trial(lottery, range(config.replicates), (), lab):
        for row in report["rows"]:
            found[row["density"]].append(row["test_accuracy"])
    return found


def main(config: EquivalenceConfig, console: Console) -> bool:
    """Prints the table; returns whether every density passes."""
    margin = NETWORKS[config.network][1]
    kept = contextlib.nullcontext(config.at) if config.at else tempfile.TemporaryDirectory()
    with kept as folder:
        sparse, torch = (accuracies(e, config, Path(folder) / e) for e in ("sparse", "torch"))
    table = Table(title=f"sparse - torch, test accuracy in points, n = {config.replicates}")
    for name in ("density", "torch", "difference", "90 % interval", f"within {100 * margin:.1f}"):
        table.add_column(name, justify="right")
    passed = []
    for density, reference in torch.items():
        difference = np.subtract(sparse[density], reference)
        test = stats.ttest_1samp(difference, 0)
        low, high = test.confidence_interval(0.9)
        passed.append(bool(low > -margin and high < margin))
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
