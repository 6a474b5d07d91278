"""The machine that a time belongs to, without its name or its folders."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path

import torch

from lttune.records.capacity import capacity

BUSY = 0.5
"""Load average of the last minute from which on times are not to be trusted."""


def processor() -> str:
    """Returns the model of the CPU as the system calls it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def describe() -> dict[str, str | int | float]:
    """Returns what a reader needs to judge the times."""
    return {
        "cpu": processor(),
        "cores": capacity().cores,
        "threads": torch.get_num_threads(),
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numba": importlib.metadata.version("numba"),
        "load_average": load_average(),
    }


def load_average() -> float:
    """Returns the load average of the last minute; 0 where the system has none."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
