"""Where a study's numbers come from: code, packages, machine."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lttune
from lttune.records.capacity import capacity

RECORDED_PACKAGES = ("torch", "ray", "optuna", "mlflow", "numpy", "scikit-learn", "safetensors")


def _git(*arguments: str) -> str | None:
    folder = Path(__file__).parent
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def code() -> dict[str, Any]:
    """Returns lttune's version, and the commit and whether files differ from it in a checkout."""
    tracked = _git("ls-files", "--error-unmatch", __file__) is not None
    return {
        "version": lttune.__version__,
        "commit": _git("rev-parse", "HEAD") if tracked else None,
        "dirty": bool(_git("status", "--porcelain", "--untracked-files=no")) if tracked else None,
    }


def sources() -> str:
    """Returns the SHA-256 of the code that trains, by the names of its files.

    A version tells two checkouts of it not apart, nor a commit what was changed since.
    """
    root, found = Path(lttune.__file__).parent, hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        found.update(f"{path.relative_to(root).as_posix()}\0".encode())
        found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def packages() -> dict[str, str]:
    """Returns the versions of the packages that numbers depend on."""
    return {name: importlib.metadata.version(name) for name in RECORDED_PACKAGES}


def machine() -> dict[str, Any]:
    """Returns the processor, the cores of it that the job may use, and the system; no host name."""
    return {
        "cpu": cpu_model(),
        "cores": capacity().cores,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def with_numerics(sheet: Mapping[str, Any], numerics: str) -> dict[str, Any]:
    """Returns the sheet of a study that has trained nothing yet, and will by other numerics."""
    *before, run = sheet["runs"]
    return {**sheet, "numerics": numerics, "runs": [*before, {**run, "numerics": numerics}]}


def last_command(sheet: Mapping[str, Any]) -> str:
    """Returns the command that a study was run by last; empty if a call from Python did.

    The first one may have named a cluster that is no more. Sheets of older versions have it alone.
    """
    runs = sheet.get("runs")
    last = runs[-1] if isinstance(runs, list) and runs else sheet
    return str(last.get("command") or "")


def cpu_model() -> str:
    """Returns what the processor is sold as."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = (line.partition(":") for line in info.read_text().splitlines())
        if model := next((v.strip() for k, _, v in lines if k.strip() == "model name"), ""):
            return model
    return platform.processor() or platform.machine()
