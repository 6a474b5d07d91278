"""The peak memory of a study's workers, read while it runs."""

from __future__ import annotations

import subprocess
from pathlib import Path

NAMES = b"ray::LotteryTrainable", b"ray::ResourceTrainable"
"""How Ray 2.60 names the processes that train: between calls, and in one.

Tune wraps a class whose resources are set in a ``ResourceTrainable``, which takes over the name of
the class but not the qualified one, which Ray shows during a call.
"""


def watch(
    process: subprocess.Popen[bytes], every_s: float = 5, at_first_s: float = 0.2
) -> float | None:
    """Waits until a study's process ends; returns the largest peak of its workers, in MB.

    None where the system does not tell another process's peak (other than Linux). Looking costs
    time on the cores that train: it is done often only until a worker is there, which in a small
    study may be gone after a second.
    """
    peak: float | None = None
    while True:
        try:
            process.wait(every_s if peak else at_first_s)
        except subprocess.TimeoutExpired:
            seen = [peak_mb(worker) for worker in workers(process.pid)]
            peak = max([*seen, peak or 0.0]) or None
        else:
            return peak


def workers(ancestor: int) -> list[Path]:
    """Returns the ``/proc`` folders of the workers that descend from a process."""
    parents: dict[int, int] = {}
    named: list[int] = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue  # It has ended meanwhile.
        parents[int(folder.name)] = int(fields[1])
        if command.startswith(NAMES):
            named.append(int(folder.name))
    return [Path(f"/proc/{pid}") for pid in named if ancestor in _line(pid, parents)]


def peak_mb(process: Path) -> float:
    """Returns the largest resident memory of a process so far, in MB; 0 if it has ended."""
    try:
        lines = (process / "status").read_text(errors="replace").splitlines()
    except OSError:
        return 0.0
    return next((int(x.split()[1]) * 1024 / 1e6 for x in lines if x.startswith("VmHWM")), 0.0)


def _line(pid: int, parents: dict[int, int]) -> list[int]:
    """Returns the ancestors of a process, the nearest first."""
    found: list[int] = []
    while (pid := parents.get(pid, 0)) > 0:
        found.append(pid)
    return found
