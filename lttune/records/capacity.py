"""What this process may use of the machine: the least that anybody who limits it says.

A scheduler gives a job a part of a machine. It binds the job to some cores (affinity, and control
groups' sets of cores, which narrow it), limits its share of their time and its memory (control
groups, version 1 or 2: the job's own and all above it count), or only says so, as Slurm does in the
job's environment where its administrator enforces nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

MACHINE = "the machine"
AFFINITY = "affinity"
CONTROL_GROUP = "a control group"
SLURM_CORES = ("SLURM_CPUS_PER_TASK", "SLURM_CPUS_ON_NODE", "SLURM_JOB_CPUS_PER_NODE")
"""Variables of Slurm that say how many cores a job has; the last has nodes, e.g. ``4(x2),8``."""
SLURM_MEMORY, SLURM_MEMORY_PER_CORE = "SLURM_MEM_PER_NODE", "SLURM_MEM_PER_CPU"
"""Variables that say how much memory, in MiB; 0 is all of the node's."""


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """Cores and memory that this process may use, and who says so."""

    cores: int
    """At least 1: of a share, such as 2.5 cores, the whole ones."""
    cores_by: str
    memory: int | None
    """Bytes; None where nobody says."""
    memory_by: str


def capacity(root: Path = Path("/"), environ: Mapping[str, str] = os.environ) -> Capacity:
    """Returns what this process may use.

    Args:
        root: of the file system, in which the kernel tells of control groups.
        environ: the environment, in which Slurm tells of the job.
    """
    cores = {MACHINE: os.cpu_count() or 1, **_slurm_cores(environ)}
    if hasattr(os, "sched_getaffinity"):  # Linux alone has it.
        cores[AFFINITY] = len(os.sched_getaffinity(0))
    if shares := [share for at in _control_groups(root, "cpu") if (share := _share(at))]:
        cores[CONTROL_GROUP] = max(1, int(min(shares)))
    fewest = min(cores, key=cores.__getitem__)
    memory = dict(_slurm_memory(environ, cores[fewest]))
    if total := _machine_memory():
        memory[MACHINE] = total
    if limits := [limit for at in _control_groups(root, "memory") if (limit := _limit(at))]:
        memory[CONTROL_GROUP] = min(limits)
    # Of equal ones the machine: version 1 writes "none" as a number beyond any memory.
    least = min(sorted(memory, key=lambda who: who != MACHINE), key=memory.__getitem__, default="")
    return Capacity(cores=cores[fewest], cores_by=fewest, memory=memory.get(least), memory_by=least)


def require_memory(size: int) -> None:
    """Checks that this process may use so many bytes: Linux gives more, and ends who uses them.

    Raises:
        MemoryError: if it may not.
    """
    most = capacity().memory
    if most is not None and size > most:
        raise MemoryError(f"{size} bytes, of {most} that this job may use")


def _machine_memory() -> int:
    """Returns the bytes of the machine's memory; 0 where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0


def _slurm_cores(environ: Mapping[str, str]) -> dict[str, int]:
    found = {}
    for name in SLURM_CORES:
        counts = [_whole(part.partition("(")[0]) for part in environ.get(name, "").split(",")]
        if all(counts):
            # Which of the nodes this is, the variable does not say.
            found[name] = min(counts)
    return found


def _slurm_memory(environ: Mapping[str, str], cores: int) -> Iterator[tuple[str, int]]:
    for name, times in ((SLURM_MEMORY, 1), (SLURM_MEMORY_PER_CORE, cores)):
        if size := _whole(environ.get(name, "")):
            yield name, (size << 20) * times


def _control_groups(root: Path, controller: str) -> Iterator[Path]:
    """Yields the folders of the groups that limit this process, from its own to the outermost.

    Where a container has a name space of its own, its group is the outermost that is seen, while
    its path may be the one outside: what does not exist limits nothing.
    """
    base = root / "sys/fs/cgroup"
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        lines = ["0::/"]
    for line in lines:
        _, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        if names and controller not in names.split(","):
            continue
        parts = [part for part in PurePosixPath(path).parts if part not in ("/", "..")]
        for mount in (base / names, base / controller) if names else (base, base / "unified"):
            yield from (mount.joinpath(*parts[:n]) for n in range(len(parts), -1, -1))


def _share(group: Path) -> float:
    """Returns the cores whose time a group may use; 0 if it may use all."""
    words = _text(group / "cpu.max").split()
    if len(words) != 2:
        words = [_text(group / f"cpu.cfs_{name}_us") for name in ("quota", "period")]
    quota, period = map(_whole, words)
    return quota / period if period else 0.0


def _limit(group: Path) -> int:
    """Returns the bytes of memory that a group may use; 0 if it may use all."""
    return _whole(_text(group / "memory.max") or _text(group / "memory.limit_in_bytes"))


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _whole(text: str) -> int:
    """Returns a number > 0 of 64 bits; 0 for all else, such as "max" and -1."""
    return int(text) if text.isdecimal() and len(text) <= 20 else 0
