"""What a job may use of a machine, by everyone who says it; and who asks for it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lttune.records import capacity as asked
from lttune.records.capacity import capacity
from lttune.records.provenance import machine

GB = 10**9


@pytest.fixture(autouse=True)
def large(monkeypatch):
    """A machine of 64 cores and 256 GiB, of which nobody else takes anything."""
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)), raising=False)
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1 << 26}.get)


def tree(root: Path, groups: str, files: dict[str, str]) -> Path:
    """Returns a root that tells the groups of the process, and has files of groups."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(groups)
    for name, text in files.items():
        place = root / "sys/fs/cgroup" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"{text}\n")
    return root


def told(root: Path, **environ: str) -> tuple[int, str, int | None, str]:
    found = capacity(root, environ)
    return found.cores, found.cores_by, found.memory, found.memory_by


WHOLE = (64, "the machine", 1 << 38, "the machine")


def test_nobody_limits_a_machine_of_ones_own(tmp_path):
    assert told(tmp_path) == WHOLE
    free = {"cpu.max": "max 100000", "memory.max": "max"}
    assert told(tree(tmp_path / "2", "0::/user.slice\n", free)) == WHOLE
    free = {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}
    free |= {"memory/memory.limit_in_bytes": "9223372036854771712"}
    assert told(tree(tmp_path / "1", "4:memory:/\n1:cpu,cpuacct:/\n", free)) == WHOLE


def test_affinity(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3, 5, 7})
    assert told(tmp_path)[:2] == (3, "affinity")
    monkeypatch.delattr(os, "sched_getaffinity")
    assert told(tmp_path)[:2] == (64, "the machine")


@pytest.mark.parametrize(
    ("quota", "cores"), [("400000", 4), ("250000", 2), ("100000", 1), ("50000", 1), ("1000", 1)]
)
def test_a_share_of_time_is_its_whole_cores_and_at_least_one(tmp_path, quota, cores):
    two = tree(tmp_path / "2", "0::/\n", {"cpu.max": f"{quota} 100000"})
    files = {"cpu/cpu.cfs_quota_us": quota, "cpu/cpu.cfs_period_us": "100000"}
    one = tree(tmp_path / "1", "3:cpu,cpuacct:/\n", files)
    assert told(two)[:2] == told(one)[:2] == (cores, "a control group")


def test_a_limit_of_memory(tmp_path):
    two = tree(tmp_path / "2", "0::/\n", {"memory.max": str(8 * GB)})
    one = tree(tmp_path / "1", "9:memory:/\n", {"memory/memory.limit_in_bytes": str(8 * GB)})
    assert told(two)[2:] == told(one)[2:] == (8 * GB, "a control group")


@pytest.mark.parametrize("place", ["", "a.slice/", "a.slice/job_7/", "a.slice/job_7/step/"])
def test_every_group_above_the_jobs_own_counts(tmp_path, place):
    files = {f"{place}cpu.max": "300000 100000", f"{place}memory.max": str(GB)}
    found = told(tree(tmp_path / "2", "0::/a.slice/job_7/step\n", files))
    assert found == (3, "a control group", GB, "a control group")
    files = {f"cpu/{place}cpu.cfs_{n}_us": f"{k}00000" for n, k in (("quota", 3), ("period", 1))}
    files |= {f"memory/{place}memory.limit_in_bytes": str(GB)}
    groups = "5:cpu,cpuacct:/a.slice/job_7/step\n4:memory:/a.slice/job_7/step\n"
    assert told(tree(tmp_path / "1", groups, files)) == found


def test_the_least_of_several_groups_counts(tmp_path):
    files = {"a.slice/cpu.max": "800000 100000", "a.slice/b/cpu.max": "200000 100000"}
    files |= {"a.slice/memory.max": str(GB), "a.slice/b/memory.max": str(4 * GB)}
    assert told(tree(tmp_path, "0::/a.slice/b\n", files))[::2] == (2, GB)


@pytest.mark.parametrize("groups", ["0::/docker/abc\n", "0::/../../abc\n", ""])
def test_a_container_sees_its_group_at_the_top_whatever_its_path(tmp_path, groups):
    root = tree(tmp_path, groups, {"cpu.max": "200000 100000"})
    if not groups:
        (root / "proc/self/cgroup").unlink()
    assert told(root)[:2] == (2, "a control group")


SLURM = [
    ({"SLURM_CPUS_PER_TASK": "2"}, 2, None),
    ({"SLURM_CPUS_ON_NODE": "4"}, 4, None),
    ({"SLURM_CPUS_PER_TASK": "8", "SLURM_CPUS_ON_NODE": "16"}, 8, None),
    ({"SLURM_JOB_CPUS_PER_NODE": "4(x2),8"}, 4, None),
    ({"SLURM_MEM_PER_NODE": "4096"}, 64, 4 << 30),
    ({"SLURM_MEM_PER_NODE": "0"}, 64, None),
    ({"SLURM_CPUS_ON_NODE": "4", "SLURM_MEM_PER_CPU": "1024"}, 4, 4 << 30),
    (
        {"SLURM_CPUS_ON_NODE": "", "SLURM_CPUS_PER_TASK": "many", "SLURM_MEM_PER_NODE": "-"},
        64,
        None,
    ),
    ({"SLURM_CPUS_ON_NODE": "128", "SLURM_MEM_PER_NODE": str(1 << 20)}, 64, None),
]


@pytest.mark.parametrize(("environ", "cores", "memory"), SLURM)
def test_slurms_variables_count_where_nothing_enforces_them(tmp_path, environ, cores, memory):
    found = told(tmp_path, **environ)
    assert (found[0], found[2]) == (cores, memory or 1 << 38)
    assert found[1].startswith("SLURM" if cores < 64 else "the machine")
    assert found[3].startswith("SLURM" if memory else "the machine")


def test_a_system_that_tells_of_no_memory(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "sysconf")
    assert told(tmp_path)[2:] == (None, "")
    assert told(tmp_path, SLURM_MEM_PER_NODE="1")[2:] == (1 << 20, "SLURM_MEM_PER_NODE")


def test_a_study_notes_the_cores_that_it_may_use(monkeypatch):
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "1")
    assert machine()["cores"] == 1
    assert asked.capacity().cores == 1
