"""The training of the benchmark's study without the study.

Fresh processes of one thread each train such trajectories at the same time. There is no Ray, Optuna
or MLflow and no driver on the same cores, nothing is written while a network is trained, and only
the seconds of training count.
"""

from __future__ import annotations

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from benchmarks.pair import AHEAD_S
from benchmarks.study import RATES, STUDY
from lttune.config import LotteryConfig
from lttune.data import Dataset, load
from lttune.store.store import Store
from lttune.study.phases.planned import phase_config
from lttune.training import engines
from lttune.trajectory.lab import Lab
from lttune.trajectory.trial import run_trial

ENGINE = "sparse"
TRAJECTORIES = 2
"""Trajectories of each process in one measurement."""


def lottery(steps: int, position: float) -> LotteryConfig:
    """Returns a trial of the study.

    Args:
        steps: of each of its networks.
        position: of its learning rate in the searched range, in [0, 1].
    """
    config = STUDY.scales["quick"]
    rate = RATES.low * (RATES.high / RATES.low) ** position
    return phase_config("search", config.lottery, config.objective).override(
        {"train.steps": steps, "train.eval_every": min(100, steps), "train.lr": rate}
    )


@cache
def dataset(name: str) -> Dataset:
    """Returns this process's examples."""
    return load(name)


def work(steps: int, positions: list[float], at: float) -> float:
    """Trains trajectories from a monotonic time on; returns their seconds of training."""
    configs = [lottery(steps, position) for position in positions]
    data = configs[0].data
    with TemporaryDirectory() as folder:
        engine = engines.make(ENGINE, "cpu")
        lab = Lab({data.name: dataset(data.name)}, engine, Store(Path(folder)))
        lab.examples(data)
        time.sleep(max(0.0, at - time.monotonic()))
        reports = [report for config in configs for report in run_trial(config, [0], (), lab)]
    return sum(row["train_time_s"] for report in reports for row in report["rows"])


def prepare() -> None:
    """Makes a process ready: imports, examples, compiled kernels."""
    torch.set_num_threads(1)
    engines.warm(ENGINE)
    work(1, [0.5], 0.0)


def measure(processes: int, steps: int) -> float:
    """Returns the mean seconds of training of a trajectory with so many processes at once."""
    count = processes * TRAJECTORIES
    positions = [(index + 0.5) / count for index in range(count)]
    shares = [positions[index::processes] for index in range(processes)]
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=spawn, initializer=prepare) as pool:
        # The pool starts its processes when it is given work, and this waits for all.
        list(pool.map(work, [1] * processes, [[0.5]] * processes, [0.0] * processes))
        at = time.monotonic() + AHEAD_S
        spent = list(pool.map(work, [steps] * processes, shares, [at] * processes))
    return sum(spent) / count
