"""Limits that the system sets: files, memory. What meets one says so, and goes on afterwards."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import drivers
import micro_study
import pytest
from digits_place import StudyPlace

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

ALL = bool(os.environ.get("LTTUNE_ALL_FAULTS"))
OWN_DISK = ["unshare", "--mount"]
"""Has what a command mounts end with it; not everybody may."""
RUNS = """
disk=$1/out
mkdir "$disk"
mount -t tmpfs -o nr_inodes=400 none "$disk"
shift
"$@" > first.txt 2>&1 &
until [ -s "$disk/digits/records.parquet" ] || ! kill -0 $! 2> /dev/null; do sleep 0.01; done
touch $(seq -f "$disk/filler-%g" 500) 2> filled.txt
wait $!
echo $? > codes.txt
rm "$disk"/filler-*
"$@" > second.txt 2>&1
echo $? >> codes.txt
cp -a "$disk" copy
"""
"""Runs a study twice on a disk of its own, which takes no more files after the first trial."""


def may_mount() -> bool:
    tried = [*OWN_DISK, "mount", "-t", "tmpfs", "none", "/mnt"]
    return (
        bool(shutil.which("unshare")) and not subprocess.run(tried, capture_output=True).returncode
    )


@pytest.mark.skipif(not ALL, reason="of make faults")
def test_a_disk_that_takes_no_more_files_is_told_and_costs_nothing(tmp_path):
    if not may_mount():
        pytest.skip("only root may mount a disk")
    place = StudyPlace(tmp_path).ready()
    study = [sys.executable, "-c", drivers.WITHOUT_RAY, *place.flags, *micro_study.FLAGS]
    paths = [str(drivers.HELPERS.parents[1]), str(drivers.HELPERS)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    command = [*OWN_DISK, "sh", "-c", RUNS, "sh", str(tmp_path)]
    subprocess.run([*command, *study], cwd=tmp_path, env=env, check=True)
    first = (tmp_path / "first.txt").read_text()
    assert (tmp_path / "codes.txt").read_text().split() == ["74", "0"], first
    assert "No space left on device; " in first
    assert re.search(r"[MG]B and 0 files are\s+free there; make\s+room", first)
    assert "Traceback" not in first
    (tmp_path / "out").rmdir()
    (tmp_path / "copy").rename(tmp_path / "out")
    never = tmp_path / "never"
    assert micro_study.run(never) == 0
    assert micro_study.told(tmp_path) == micro_study.told(never)


def one_trial_had_no_memory(place: StudyPlace, code: int, printed: str) -> None:
    assert (code, sorted(place.states())) == (1, ["complete", "complete", "failed"])
    (error,) = [trial["error"] for trial in place.trials() if trial["error"]]
    found = re.fullmatch("out of memory, with ([\\d,]+) MB in use at the most: MemoryError", error)
    assert found, error
    # Python with PyTorch; less than what it was refused beside that.
    assert 100 < int(found[1].replace(",", "")) < 2_000
    assert "out of memory, with" in printed
    assert "Traceback" not in printed


def test_a_trial_that_gets_no_memory_fails_and_no_other(tmp_path):
    code = micro_study.run(tmp_path, "cell.computed:3:memory")
    one_trial_had_no_memory(StudyPlace(tmp_path), code, (tmp_path / "printed.txt").read_text())


@pytest.mark.skipif(not ALL, reason="of make faults")
def test_a_worker_that_gets_no_memory_fails_its_trial_and_no_other(tmp_path, cwd, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setenv("LTTUNE_FAULT", "cell.computed:3:memory")
        patch.setenv("LTTUNE_FAULT_ONCE", str(tmp_path / "once"))
        ended = StudyPlace(tmp_path).run(*micro_study.FLAGS)
    one_trial_had_no_memory(ended, ended.exit_code, ended.printed)
    never = tmp_path / "never"
    assert micro_study.run(tmp_path) == micro_study.run(never) == 0
    assert micro_study.told(tmp_path) == micro_study.told(never)


@pytest.mark.skipif(not ALL, reason="of make faults")
def test_a_worker_that_is_killed_each_time_fails_its_trial_and_ends_the_study(
    tmp_path, cwd, monkeypatch
):
    # As the system kills who has most of the memory.
    monkeypatch.setenv("LTTUNE_FAULT", "cell.computed:2:kill")
    ended = StudyPlace(tmp_path).run(*drivers.BRIEF)
    assert (ended.exit_code, ended.states()) == (1, ["failed"])
    (trial,) = ended.trials()
    assert trial["error"] == "its worker died; out of memory is the usual cause"
