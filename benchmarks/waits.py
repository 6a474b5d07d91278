"""What a person waits for: this code beside the code of an earlier commit, in turn on one machine.

The earlier code is put into a folder of its own and runs with the same Python and packages. Each
wait is measured as its user has it, by a command in a fresh process; which code goes first changes
from pair to pair. What is written is a ratio for each pair, this code over the earlier one, and
their median. Kernels are compiled before, and data are there:

    python -m benchmarks.waits
    python -m benchmarks.waits --waits again report --pairs 5
    python -m benchmarks.waits --waits quick --pairs 1

What the file has of other waits stays there.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import tyro

from benchmarks import machine, workers
from lttune.config import require
from lttune.errors import ResourceError
from lttune.store.plain_json import read_json, write_json

ROOT = Path(__file__).resolve().parent.parent
STUDY = Path("studies") / "lenet_sensitivity.py"
BARS = {
    "smoke_vs_before": 0.4,
    "first_level_vs_before": 0.5,
    "again_vs_before": 0.15,
    "report_vs_before": 0.3,
    "full_report_vs_before": 0.25,
    "quick_vs_before": 0.5,
    "worker_memory_vs_before": 0.6,
}
"""Key of the result -> the largest ratio that keeps the bar."""


@dataclass(frozen=True, kw_only=True)
class WaitsConfig:
    """What is measured, and how often."""

    waits: tuple[str, ...] = ("smoke", "again", "report", "full_report")
    """Of smoke (with the time to its first network and the memory of a worker), again, report,
    full_report, quick (half an hour for each code)."""
    pairs: int = 3
    """Times that each wait is measured with each code."""
    before: str = "41bc1a3"
    """Commit of the earlier code."""
    out: Path = Path("benchmarks/waits.json")
    """File that receives the result."""

    def __post_init__(self) -> None:
        """Raises ``ConfigError`` if a field breaks its rule."""
        require(self.pairs >= 1, "pairs", "a whole number >= 1", self.pairs)
        require({*self.waits} <= {*WAITS}, "waits", f"of {', '.join(WAITS)}", self.waits)


@dataclass(frozen=True, kw_only=True)
class Code:
    """One of the two codes, with a folder for what it writes."""

    root: Path
    """Where its packages and studies are."""
    scratch: Path

    def run(self, *words: object, watched: bool = False) -> dict[str, float]:
        """Returns wall and processor seconds of a command, and the peak of its workers in MB.

        Raises:
            ResourceError: if it fails.
        """
        environment = {**os.environ, "PYTHONPATH": str(self.root)}
        before, began = os.times(), time.monotonic()
        with tempfile.TemporaryFile() as said:
            process = subprocess.Popen(
                [sys.executable, *map(str, words)],
                cwd=self.scratch,
                env=environment,
                stdout=said,
                stderr=subprocess.STDOUT,
            )
            try:
                peak = workers.watch(process) if watched else None
                process.wait()
            finally:
                process.kill()  # Unless it has ended.
            wall_s, after = time.monotonic() - began, os.times()
            if process.returncode:
                said.seek(0)
                last = said.read().decode(errors="replace").strip().splitlines()[-1:]
                raise ResourceError(f"{words[0]} ended with {process.returncode}: {last}")
        own = after.children_user + after.children_system
        found = {"wall_s": wall_s, "cpu_s": own - before.children_user - before.children_system}
        return found if peak is None else found | {"worker_peak_mb": peak}

    def study(self, scale: str, out: Path, *, watched: bool = False) -> dict[str, float]:
        """Runs the study file at a scale, and returns what it took."""
        place = [f"--out={out}", f"--tracking-uri=sqlite:///{out / 'mlflow.db'}"]
        return self.run(self.root / STUDY, f"--scale={scale}", *place, watched=watched)


def smoke(code: Code) -> dict[str, float]:
    """Measures a smoke study in an empty folder."""
    out, began = code.scratch / "smoke", time.time()
    shutil.rmtree(out, ignore_errors=True)
    found = code.study("smoke", out, watched=True)
    first = min(seal.stat().st_mtime for seal in (out / "cells").rglob("seal.json"))
    return found | {"first_level_s": first - began}


def again(code: Code) -> dict[str, float]:
    """Measures the same study given again, which trains nothing."""
    return code.study("smoke", code.scratch / "smoke")


def report(code: Code) -> dict[str, float]:
    """Measures the report of that study."""
    folder = code.scratch / "smoke" / "lenet-sensitivity-smoke"
    return code.run("-m", "lttune", "report", folder)


def full_report(code: Code) -> dict[str, float]:
    """Measures the report of a whole study whose importances are not kept."""
    folder = code.scratch / "sensitivity"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "docs" / "results" / "sensitivity", folder)
    (folder / "importance.json").unlink(missing_ok=True)
    return code.run("-m", "lttune", "report", folder)


def quick(code: Code) -> dict[str, float]:
    """Measures a quick study in an empty folder."""
    out = code.scratch / "quick"
    shutil.rmtree(out, ignore_errors=True)
    return code.study("quick", out)


WAITS: dict[str, Callable[[Code], dict[str, float]]] = {
    "smoke": smoke,
    "again": again,
    "report": report,
    "full_report": full_report,
    "quick": quick,
}
"""Name -> what measures it. Those of a smoke study need one that is there."""
KEYS = {
    **{name: (f"{name}_vs_before", "wall_s") for name in WAITS},
    "first_level": ("first_level_vs_before", "first_level_s"),
    "worker_memory": ("worker_memory_vs_before", "worker_peak_mb"),
}
OF_SMOKE = ("first_level", "worker_memory")
"""Those of ``KEYS`` that are measured with the smoke study."""


@contextlib.contextmanager
def earlier(commit: str, folder: Path) -> Iterator[Path]:
    """Puts the code of a commit into a folder, and takes it away again.

    Raises:
        ResourceError: if this is no checkout that has the commit.
    """
    git = ["git", "-C", str(ROOT), "worktree"]
    made = subprocess.run(
        [*git, "add", "--detach", folder, commit], capture_output=True, text=True, check=False
    )
    if made.returncode:
        raise ResourceError(f"{commit} cannot be checked out: {made.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run([*git, "remove", "--force", folder], check=False)


def measured(config: WaitsConfig, codes: dict[str, Code]) -> dict[str, Any]:
    """Measures the waits pair by pair and returns what the file holds of them."""
    result: dict[str, Any] = {}
    if {*config.waits} - {"full_report", "quick"}:
        for code in codes.values():  # Compiles the kernels, and is there to be given again.
            smoke(code)
    for wait in config.waits:
        if wait == "again":
            for code in codes.values():  # What a first run leaves may be another than a second.
                again(code)
        found: dict[str, list[dict[str, float]]] = {name: [] for name in codes}
        for pair in range(config.pairs):
            for name in list(codes)[:: 1 if pair % 2 else -1]:
                found[name].append(WAITS[wait](codes[name]))
                print(f"{wait} {name}: {found[name][-1]}", flush=True)
        for part in (wait, *(OF_SMOKE if wait == "smoke" else ())):
            key, value = KEYS[part]
            pairs = list(zip(found["now"], found["before"], strict=True))
            ratios = [now[value] / old[value] for now, old in pairs if value in now]
            if ratios:
                result[key] = median(ratios)
                result[f"{part}_ratios"] = ratios
                print(f"{key} {median(ratios):.3f}, bar {BARS[key]}: {ratios}")
        result[f"{wait}_runs"] = found
        result[f"{wait}_machine"] = machine.describe() | {"n": config.pairs}
    return result


def main(config: WaitsConfig) -> None:
    """Measures, prints, and writes the result."""
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as ending:
        place = Path(scratch)
        roots = {"now": ROOT, "before": ending.enter_context(earlier(config.before, place / "old"))}
        codes = {}
        for name, root in roots.items():
            (place / name).mkdir()
            codes[name] = Code(root=root, scratch=place / name)
        result = measured(config, codes)
    known = read_json(config.out) if config.out.exists() else {}
    write_json(config.out, known | result | {"before": config.before})


if __name__ == "__main__":
    main(tyro.cli(WaitsConfig, description=__doc__))
