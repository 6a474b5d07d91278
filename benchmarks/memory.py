"""The peak memory of a fresh process that trains with one loop: ``python -m benchmarks.memory``."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path
from typing import cast

from benchmarks import workers
from benchmarks.loops import LoopName, loop, workload
from benchmarks.trajectory import LEVELS, walk
from lttune.errors import ResourceError

STEPS = 20


def peak_mb() -> float:
    """Returns the largest resident memory of this process so far, in MB."""
    # What getrusage gives includes the parent's memory at the moment of the fork.
    if found := workers.peak_mb(Path("/proc/self")):
        return found
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def measure(name: LoopName) -> dict[str, float]:
    """Returns the peak memory of a loop in a process of its own, and that after imports, in MB.

    Raises:
        ResourceError: if that process fails.
    """
    command = [sys.executable, "-m", "benchmarks.memory", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ResourceError(f"the memory of {name} cannot be measured: {last}")
    imports, peak = map(float, done.stdout.split())
    return {"imports": imports, "peak": peak}


if __name__ == "__main__":
    print(peak_mb())
    # All levels of the engine, whose layers change; the plain loop's are alike.
    chosen = cast(LoopName, sys.argv[1])
    walk(loop(chosen), workload(), STEPS, LEVELS if chosen == "sparse" else 2)
    print(peak_mb())
