"""What trials cost a driver, and fill of its memory, as they become more."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import resource
import time
from pathlib import Path
from typing import Any

import pyarrow as pa

_MARKS = [n * 10**power for power in range(2, 7) for n in (1, 2, 4)]
"""Trials after which the cost so far is told."""


class Curve:
    """What trials cost and fill so far.

    Args:
        trials: of all; a look at the memory is taken at a quarter of them, and at the end.
    """

    def __init__(self, trials: int) -> None:
        self._trials, self._before = trials, 0
        self._kb: dict[int, int] = {}
        self._looked(0)
        self.begin()

    def begin(self) -> None:
        """Counts from now."""
        self._looking, self._waited = [0.0, 0.0, 0.0], waited_s()
        self._began = self._marked = self._clocks()

    def passed(self, number: int) -> None:
        """Tells the cost of the trials since the last mark, if there is one here."""
        tenth, quarter = max(self._trials // 10, 1), self._trials // 4
        if number not in _MARKS and number % tenth and number not in (quarter, self._trials):
            return
        now = self._clocks()
        cpu = 1e3 * (now[1] - self._marked[1]) / (number - self._before)
        self._looked(number)
        line = {"trials": number, "cpu_ms": round(cpu, 2), "rss_mb": self._kb[number] // 1024}
        print(json.dumps(line), flush=True)
        self._before, self._marked = number, self._clocks()
        # The look itself is no trial's cost.
        self._looking = [
            a + b - c for a, b, c in zip(self._looking, self._marked, now, strict=True)
        ]

    def found(self, last: int) -> dict[str, Any]:
        """Returns seconds and milliseconds of the last trials, and kilobytes a trial."""
        passed = zip(self._clocks(), self._began, self._looking, strict=True)
        wall, cpu, main = (now - then - looking for now, then, looking in passed)
        quarter = self._trials // 4
        grown = self._kb[self._trials] - self._kb[quarter]
        return {
            **{"wall_s": wall, "cpu_ms": 1e3 * cpu / last, "main_ms": 1e3 * main / last},
            "waited_s": waited_s() - self._waited,
            "memory_kb": grown / (self._trials - quarter),
        }

    def _looked(self, number: int) -> None:
        """Notes the memory, without what the allocator merely keeps."""
        counting, gc.callbacks[:] = [*gc.callbacks], []
        gc.collect()
        gc.callbacks[:] = counting
        pa.default_memory_pool().release_unused()
        with contextlib.suppress(OSError, AttributeError):  # Of glibc alone.
            ctypes.CDLL("libc.so.6").malloc_trim(0)
        self._kb[number] = rss_kb()

    def _clocks(self) -> tuple[float, float, float]:
        return time.perf_counter(), time.process_time(), time.thread_time()


def waited_s() -> float:
    """Returns the seconds for which threads of this process could have run and had no core."""
    tasks = Path("/proc/self/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[1]) for task in tasks) / 1e9


def rss_kb() -> int:
    """Returns the kilobytes of memory that this process has."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() // 1024
