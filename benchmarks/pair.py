"""Two trials in two processes at once: do they get in each other's way?"""

from __future__ import annotations

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from statistics import median
from typing import Any

from benchmarks.loops import LoopName, loop, workload
from benchmarks.trajectory import LEVELS, walk

WORK: dict[LoopName, int] = {"sparse": LEVELS, "eager": 6}
"""Levels of a trial of each loop."""
PROMISED: LoopName = "sparse"
"""The loop whose figure has a bar: three times as often, since single runs differ by 10 %."""
AHEAD_S = 0.1
"""Time that a worker has to hear of its next work before this begins."""


def prepare() -> None:
    """Makes a worker ready: imports, examples, compiled kernels."""
    for name in WORK:
        walk(loop(name), workload(), steps=1, levels=2)


def work(name: LoopName, steps: int, at: float) -> float:
    """Does the work of a trial from a moment on, and returns its seconds.

    ``at`` is a monotonic time, which on the usual systems counts from the machine's start, not from
    the process's.
    """
    time.sleep(max(0.0, at - time.monotonic()))
    began = time.perf_counter()
    walk(loop(name), workload(), steps, WORK[name])
    return time.perf_counter() - began


def measure(steps: int, repetitions: int) -> dict[str, Any]:
    """Returns the throughput of two trials at once over that of one, for either loop."""
    seconds: dict[LoopName, dict[str, list[float]]] = {
        name: {"alone": list[float](), "together": list[float]()} for name in WORK
    }
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=spawn, initializer=prepare) as pool:

        def run(name: LoopName, count: int) -> float:
            at = time.monotonic() + AHEAD_S
            return max(pool.map(work, [name] * count, [steps] * count, [at] * count))

        # The pool starts its processes when it is given work, and this waits for both.
        run("sparse", 2)
        for _ in range(repetitions):
            for name in (PROMISED, *WORK, PROMISED):
                seconds[name]["alone"].append(run(name, 1))
                seconds[name]["together"].append(run(name, 2))
    return {
        "meaning": "2 x median seconds of a trial alone / those of the slower of two at once",
        **{
            name: {
                "speedup": 2 * median(kinds["alone"]) / median(kinds["together"]),
                **{f"{kind}_s": values for kind, values in kinds.items()},
            }
            for name, kinds in seconds.items()
        },
    }
