"""However many trials a study runs, its processes stay as they were, and none of it is left."""

from __future__ import annotations

import contextlib
import gc
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from digits_place import StudyPlace

from benchmarks.workers import workers
from lttune.study.conductor import Conductor

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(0),
    pytest.mark.skipif("LTTUNE_ALL_FAULTS" not in os.environ, reason="takes minutes: make faults"),
]

TRIALS = 200
TRIVIAL = (
    *("--max-concurrent", "1", "--phases", "random", "--lottery.levels", "1"),
    *("--lottery.train.steps", "2", "--lottery.train.eval-every", "2"),
    *("--objective.density", "0.7"),
)
MOST_GROWTH = {"driver": 250_000, "worker": 50_000}
"""Bytes that a trial may cost a process: the driver keeps its rows, and Ray what it knows of it."""


def shared_memory() -> set[str]:
    """Returns the names in the memory that processes share, where there is such a folder."""
    folder = Path("/dev/shm")
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def soon(found: Callable[[], object]) -> object:
    """Returns what is still found after seconds in which others end as well."""
    for _ in range(100):
        if not (last := found()):
            return last
        time.sleep(0.1)
    return found()


def test_many_trials_leave_the_processes_as_they_were_and_nothing_behind(
    tmp_path, cwd, monkeypatch
):
    driver = psutil.Process()
    sizes: dict[int, list[tuple[int, int]]] = {}
    ended = Conductor.ended

    def noted(self: Conductor, trial: Any) -> None:
        ended(self, trial)
        for pid in (driver.pid, *(int(folder.name) for folder in workers(driver.pid))):
            with contextlib.suppress(psutil.NoSuchProcess):
                process = psutil.Process(pid)
                gc.collect()
                now = process.memory_info().rss, process.num_fds()
                sizes.setdefault(pid, []).append(now)

    def run(name: str, trials: int) -> StudyPlace:
        place = StudyPlace(tmp_path / name).run("--trials", str(trials), *TRIVIAL)
        assert place.exit_code == 0, place.printed
        gc.collect()
        return place

    run("first", 1)  # What is imported, compiled and kept once.
    first = driver.num_fds()
    run("second", 1)  # What is kept of each study, such as its database.
    children, shared, second = driver.children(recursive=True), shared_memory(), driver.num_fds()
    threads = threading.active_count()
    monkeypatch.setattr(Conductor, "ended", noted)
    place = run("third", TRIALS)
    assert len(place.trials()) == TRIALS
    assert set(map(len, sizes.values())) == {TRIALS}, {p: len(s) for p, s in sizes.items()}
    assert len(sizes) == 2
    begin = TRIALS // 3
    for pid, series in sizes.items():
        growth = (series[-1][0] - series[begin][0]) / (TRIALS - 1 - begin)
        assert growth < MOST_GROWTH["driver" if pid == driver.pid else "worker"]
        assert series[-1][1] <= series[begin][1] + 2
    assert soon(lambda: set(driver.children(recursive=True)) - set(children)) == set()
    assert soon(lambda: shared_memory() - shared) == set()
    assert driver.num_fds() - second <= second - first + 2
    assert soon(lambda: threading.active_count() > threads + 1) is False
    assert list((place.root / "out" / "cells" / "drafts").iterdir()) == []
    assert not (place.folder / "ray").exists()
