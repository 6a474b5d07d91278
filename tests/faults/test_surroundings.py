"""What is around a study changes while it runs: its numbers do not."""

from __future__ import annotations

import gc
import threading
import time

import digits_study
import micro_study
import numpy as np
import psutil
import pytest
from digits_place import Place, lasting
from one_process import one_process

from lttune.data import load
from lttune.data.files import npz
from lttune.records.schema import read

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def test_an_error_that_does_not_come_back_is_gone_when_the_study_is_run_again(tmp_path):
    once, never = tmp_path / "once", tmp_path / "never"
    assert micro_study.run(once, "cell.computed:3:bug") == 1
    assert "RuntimeError: a failpoint" in (once / "printed.txt").read_text()
    assert micro_study.run(once) == micro_study.run(never) == 0
    assert micro_study.told(once) == micro_study.told(never)


def test_a_clock_that_jumps_changes_no_number(tmp_path, cwd, monkeypatch):
    now, calls = time.time, []

    def jumping():
        calls.append(None)
        return now() + (3.2e7 if len(calls) % 3 else -3_600)

    flags = ("--max-concurrent", "1", "--trials", "1", "--replicates", "1")
    with one_process():
        before = Place(tmp_path / "before").run(*flags)
        with monkeypatch.context() as patch:
            patch.setattr(time, "time", jumping)
            after = Place(tmp_path / "after").run(*flags)
    assert (before.exit_code, after.exit_code) == (0, 0)
    assert calls
    assert lasting(after.rows()) == lasting(before.rows())
    assert all(0 <= row["train_time_s"] < 60 for row in after.rows())
    assert all(0 <= trial["seconds"] < 60 for trial in after.trials())


def test_a_dataset_that_changes_is_another_study(tmp_path, cwd):
    digits = load("digits")
    path = tmp_path / "mine.npz"
    arrays = {"train_x": digits.train_x, "train_y": digits.train_y}
    arrays |= {"test_x": digits.test_x, "test_y": digits.test_y}
    npz.write(path, {name: np.asarray(array) for name, array in arrays.items()})
    flags = ("--max-concurrent", "1", "--trials", "1", "--replicates", "1")
    flags += ("--lottery.data.name", str(path))
    with one_process():
        first = Place(tmp_path / "results").run(*flags)
        assert first.exit_code == 0, first.printed
        before = read(first.folder / "records.parquet")
        npz.write(
            path, {**{n: np.asarray(a) for n, a in arrays.items()}, "test_y": digits.test_y[::-1]}
        )
        again = Place(tmp_path / "results").run(*flags)
    assert again.exit_code == 3
    assert "dataset: " in again.printed
    assert read(first.folder / "records.parquet") == before


def test_many_trials_leave_nothing_open(tmp_path, cwd):
    process = psutil.Process()
    short = ("--lottery.train.steps", "2", "--lottery.train.eval-every", "2")
    flags = ("--max-concurrent", "1", "--replicates", "1", "--lottery.levels", "1", *short)
    flags += ("--objective.density", "0.7")
    study = digits_study.STUDY

    def grown(trials: int) -> tuple[int, int, int]:
        with one_process():
            ended = Place(tmp_path / "grows").run("--trials", str(trials), *flags, study=study)
        assert ended.exit_code == 0, ended.printed
        gc.collect()
        return process.memory_info().rss, process.num_fds(), threading.active_count()

    grown(10)  # What is imported, compiled and kept once.
    memory, files, threads = grown(20)
    more_memory, more_files, more_threads = grown(80)
    assert more_memory - memory < 60 * 400_000
    assert more_files <= files + 2
    assert more_threads <= threads + 1
    assert not [one for one in process.children() if one.status() == psutil.STATUS_ZOMBIE]
    assert list((tmp_path / "grows" / "out" / "cells" / "drafts").iterdir()) == []
