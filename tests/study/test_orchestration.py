"""What a study costs beside its training, as the benchmark counts it."""

import shutil
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import orchestration, workers
from lttune.errors import DataError, ResourceError
from lttune.records import schema
from lttune.store.plain_json import write_json


@pytest.mark.slow
def test_a_study_that_fails_is_told(monkeypatch):
    monkeypatch.setattr(orchestration.sys, "executable", shutil.which("false"))
    with pytest.raises(ResourceError, match="study ended with exit code 1: no message"):
        orchestration.measure(trials=1, steps=1)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell it")
def test_the_peak_of_workers_alone_is_read(monkeypatch):
    find = workers.workers
    # A parent that ends when its input does, and its child of 80 MB that Ray would have named.
    parent = """
import subprocess, sys
code = "held = bytearray(80_000_000); del held; print(flush=True); input()"
argv = [sys.argv[1], "-c", code]
child = subprocess.Popen(argv, executable=sys.executable, stdin=sys.stdin)
child.wait()
"""
    peaks = {}
    for name in ("ray::LotteryTrainable", "ray::ResourceTrainable.train", "ray::IDLE"):
        process = subprocess.Popen(
            [sys.executable, "-c", parent, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdin
        assert process.stdout
        process.stdout.readline()
        looked = []

        def look(ancestor, stdin=process.stdin, looked=looked):
            looked.append(find(ancestor))
            if len(looked) == 2:
                stdin.close()
            return looked[-1]

        monkeypatch.setattr(workers, "workers", look)
        peaks[name] = workers.watch(process, every_s=0.02, at_first_s=0.02)
        process.stdout.close()
    assert 80 < peaks["ray::LotteryTrainable"] < 200
    assert 80 < peaks["ray::ResourceTrainable.train"] < 200
    assert peaks["ray::IDLE"] is None


def study(folder, rows, *, cores=2):
    columns = {"trial": 0, "replicate": 0, "branch": "trunk"}
    schema.write(
        folder / "records.parquet",
        [
            {
                **columns,
                "level": level,
                "cell": cell,
                "train_time_s": train_time_s,
                "reused": reused,
            }
            for level, (cell, train_time_s, reused) in enumerate(rows)
        ],
    )
    write_json(folder / "study.json", {"machine": {"cores": cores}})
    return folder


TIMES = [(10.0, 50.0), (10.5, 60.0), (50.5, 70.0)]
COMMAND = (0.0, 75.0)


def test_share_counts_each_trained_network_once(tmp_path):
    rows = [("a", 70.0, False), ("a", 70.0, True), ("a", 70.0, False), ("b", 30.0, False)]
    rows.append(("old", 1e6, True))
    found = orchestration.share(study(tmp_path, rows), TIMES, COMMAND)
    assert found["train_s"] == 100.0
    assert found["networks"] == 2
    assert found["inside_trials"] == pytest.approx((40 + 49.5 + 19.5) / 100 - 1)
    # Half a second each: before the second trial and before the last.
    assert found["between_trials"] == pytest.approx(1 / 100)
    assert found["left_over_s"] == pytest.approx(10.0)
    assert found["overhead"] == pytest.approx((60.0 * 2 - 10.0) / 100.0 - 1)
    assert (found["start_up_s"], found["finish_s"]) == (10.0, 5.0)


def test_a_single_trial_has_a_single_slot(tmp_path):
    found = orchestration.share(study(tmp_path, [("a", 38.0, False)]), TIMES[:1], COMMAND)
    assert found["overhead"] == pytest.approx(40 / 38 - 1)


@given(st.lists(st.tuples(st.floats(0, 9), st.floats(0.1, 9)), min_size=1, max_size=8))
def test_slots_run_trials_or_idle(trials):
    times = [(began, began + length) for began, length in trials]
    wall_s = max(ended for _, ended in times) - min(began for began, _ in times)
    inside_s = sum(ended - began for began, ended in times)
    between_s, left_over_s = orchestration.idle(times, slots := len(times))
    assert min(between_s, left_over_s) >= -1e-9
    assert inside_s + between_s + left_over_s == pytest.approx(wall_s * slots)


@pytest.mark.parametrize("rows", [[], [("a", 5.0, True)]])
def test_share_needs_a_study_that_trained(rows, tmp_path):
    with pytest.raises(DataError, match="trained no network"):
        orchestration.share(study(tmp_path, rows), TIMES, COMMAND)


def test_share_needs_a_finished_study(tmp_path):
    folder = study(tmp_path, [("a", 5.0, False)])
    write_json(folder / "study.json", {})
    with pytest.raises(DataError, match="not the folder of a finished study"):
        orchestration.share(folder, TIMES, COMMAND)
    (folder / "study.json").unlink()
    with pytest.raises(DataError, match="not the folder of a finished study"):
        orchestration.share(folder, TIMES, COMMAND)
