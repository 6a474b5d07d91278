"""How much more core time a study takes than the training of its networks alone.

A study is run as its user runs it, by its own command, with Ray, Optuna, MLflow and the store, in a
temporary folder. What counts begins with the first trial and ends with the last; start-up and the
report, which every study has once, are told beside it.

A second of training in a study is no measure of it: what else a study does on the same cores, above
all its driver, makes that second longer. So trajectories of the same kind are trained without a
study before and after it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks import alone, workers
from lttune.errors import DataError, ResourceError
from lttune.records import schema
from lttune.records.capacity import capacity
from lttune.store.plain_json import read_json

NAME = "benchmark"


def measure(trials: int, steps: int) -> dict[str, Any]:
    """Runs ``benchmarks.study`` with so many trials and steps a level, and returns its overhead.

    Raises:
        ResourceError: if the study fails.
    """
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch)
        uri = f"sqlite:///{out / 'mlflow.db'}"
        options: dict[str, Any] = {
            "--out": out,
            "--tracking-uri": uri,
            "--trials": trials,
            "--lottery.train.steps": steps,
            "--lottery.train.eval-every": min(100, steps),
        }
        words = [str(word) for option in options.items() for word in option]
        slots = min(capacity().cores, trials)
        before = alone.measure(slots, steps)
        began = time.time()
        errors = out / "stderr"
        with errors.open("w") as file:
            study = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.study", *words],
                stdout=subprocess.DEVNULL,
                stderr=file,
            )
            try:
                peak_mb = workers.watch(study)
            finally:
                study.kill()  # Unless it has ended.
        ended = time.time()
        if study.returncode:
            last = (errors.read_text().strip().splitlines() or ["no message"])[-1]
            raise ResourceError(f"the study ended with exit code {study.returncode}: {last}")
        found = share(out / NAME, trial_times(uri, NAME), (began, ended))
    alone_s = [before, alone.measure(slots, steps)]
    core_s = found["train_s"] * (1 + found["overhead"])
    return {
        **found,
        "beyond_training_alone": core_s / (trials * fmean(alone_s)) - 1,
        "trajectory_alone_s": alone_s,
        "worker_peak_mb": peak_mb,
    }


def trial_times(uri: str, study: str) -> list[tuple[float, float]]:
    """Returns when each trial of a study began and ended (Unix seconds), as MLflow was told."""
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name(study)
    assert experiment is not None
    trials = "tags.`lttune.kind` = 'trial'"
    found = client.search_runs([experiment.experiment_id], trials, max_results=10_000)
    times = [(run.info.start_time, run.info.end_time) for run in found]
    return [(began / 1e3, ended / 1e3) for began, ended in times if began and ended]


def share(
    folder: Path, times: list[tuple[float, float]], command: tuple[float, float]
) -> dict[str, Any]:
    """Returns the overhead of a finished study: core seconds per second of training, minus 1.

    0.05 means that proposing, writing, waiting and everything else cost 5 % on top of training. A
    network that several rows share was trained once and counts once; one that was taken from the
    store was not trained and does not count. A slot counts while it runs a trial or could begin
    one; that it has none left at the end, by the luck of the last trials' lengths, is told apart.

    Args:
        folder: the study's.
        times: when each trial began and ended, in seconds.
        command: when the study's command began and ended, on the same clock.

    Raises:
        DataError: if the folder holds no finished study, or one that trained nothing.
    """
    try:
        cores = int(read_json(folder / "study.json")["machine"]["cores"])
    except (FileNotFoundError, KeyError) as error:
        raise DataError(f"{folder} is not the folder of a finished study: {error}") from error
    rows = schema.read(folder / "records.parquet")
    trained = {row["cell"]: row["train_time_s"] for row in rows if not row["reused"]}
    train_s = sum(trained.values())
    if not train_s > 0:
        raise DataError(f"the study in {folder} trained no network, so it has no overhead")
    first, last = min(began for began, _ in times), max(ended for _, ended in times)
    slots = min(cores, len(times))
    inside_s = sum(ended - began for began, ended in times)
    between_s, left_over_s = idle(times, slots)
    return {
        "meaning": "core seconds of trials and between them / train_s - 1; smaller is better",
        "overhead": (inside_s + between_s) / train_s - 1,
        "inside_trials": inside_s / train_s - 1,
        "between_trials": between_s / train_s,
        "left_over_s": left_over_s,
        "train_s": train_s,
        "networks": len(trained),
        "trials": len(times),
        "slots": slots,
        "wall_s": last - first,
        "start_up_s": first - command[0],
        "finish_s": command[1] - last,
    }


def idle(times: list[tuple[float, float]], slots: int) -> tuple[float, float]:
    """Returns the seconds that slots idle while a trial is left to begin, and after the last began.

    Args:
        times: when each trial began and ended.
        slots: how many run at once.
    """
    last_began = max(began for began, _ in times)
    first, last = min(began for began, _ in times), max(ended for _, ended in times)
    before = sum(min(ended, last_began) - began for began, ended in times)
    after = sum(max(ended - last_began, 0.0) for _, ended in times)
    return (last_began - first) * slots - before, (last - last_began) * slots - after
