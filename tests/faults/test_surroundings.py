"""What is around a study changes while it runs: its numbers do not."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Any

import micro_study
import numpy as np
import pytest
from digits_place import StudyPlace, lasting
from one_process import one_process

from lttune.data import load
from lttune.data.files import npz
from lttune.records.schema import read
from lttune.store import store
from lttune.study.conductor import Conductor

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

ALL = bool(os.environ.get("LTTUNE_ALL_FAULTS"))


def test_an_error_that_comes_every_third_time_costs_no_number(tmp_path, cwd, monkeypatch):
    flags = (*micro_study.FLAGS, "--engine", "torch")
    calls = tmp_path / "calls"
    calls.touch()

    def flaky(site):
        if site == "cell.computed":
            with calls.open("a") as file:
                file.write(".")
            if calls.stat().st_size % 3 == 0:
                raise RuntimeError("a network that is no more")

    runs, trained = [], []
    with one_process():
        never = StudyPlace(tmp_path / "never").run(*flags)
        with monkeypatch.context() as patch:
            patch.setattr(store, "reach", flaky)
            while not runs or runs[-1].exit_code:
                # Each error fails its trial, whose other networks are kept for the next time.
                runs.append(StudyPlace(tmp_path / "flaky").run(*flags))
                trained.append(len(runs[-1].cells()))
                assert len(runs) <= 6, runs[-1].printed
    assert [run.exit_code for run in runs[:-1]] == [1] * (len(runs) - 1)
    assert len(runs) > 1
    assert all("RuntimeError: a network that is no more" in run.printed for run in runs[:-1])
    assert not any("Traceback" in run.printed for run in runs)
    assert trained == sorted(trained)
    # Nothing that was kept was trained again.
    assert calls.stat().st_size == len(never.cells()) + calls.stat().st_size // 3
    assert micro_study.told(tmp_path / "flaky") == micro_study.told(tmp_path / "never")


def test_an_error_that_names_what_utf8_cannot_hold_leaves_a_study_that_can_be_read(
    tmp_path, cwd, monkeypatch
):
    name, calls = os.fsdecode(b"odd\xff"), []

    def fails(site):
        if site == "cell.computed" and not calls:
            calls.append(site)
            raise RuntimeError(f"lost {name}")

    with one_process():
        with monkeypatch.context() as patch:
            patch.setattr(store, "reach", fails)
            failed = StudyPlace(tmp_path).run(*micro_study.FLAGS)
        assert failed.exit_code == 1, failed.printed
        errors = [one["error"] for one in failed.trials()]
        assert errors == [r"RuntimeError: lost odd\udcff", None, None]
        (kept,) = (failed.folder / "failures").iterdir()
        assert r"odd\udcff" in kept.read_text(encoding="utf-8")
        assert StudyPlace(tmp_path).run(*micro_study.FLAGS).exit_code == 0


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
        before = StudyPlace(tmp_path / "before").run(*flags)
        with monkeypatch.context() as patch:
            patch.setattr(time, "time", jumping)
            after = StudyPlace(tmp_path / "after").run(*flags)
    assert (before.exit_code, after.exit_code) == (0, 0)
    assert calls
    assert lasting(after.rows()) == lasting(before.rows())
    assert all(0 <= row["train_time_s"] < 60 for row in after.rows())
    assert all(0 <= trial["seconds"] < 60 for trial in after.trials())


def own_digits(path: Path, **changes: np.ndarray) -> None:
    """Writes digits as pictures of one's own."""
    digits = load("digits")
    names = ("train_x", "train_y", "test_x", "test_y")
    npz.write_sealed(path, {n: np.asarray(changes.get(n, getattr(digits, n))) for n in names})


def in_place(path: Path) -> None:
    """Gives a file the bytes of other digits, in the same inode: who has it mapped sees them."""
    other = path.with_name("other.npz")
    own_digits(other, train_y=load("digits").train_y[::-1])
    assert other.stat().st_size == path.stat().st_size
    path.write_bytes(other.read_bytes())


def replaced(path: Path) -> None:
    """Puts other digits in the place of a file."""
    own_digits(path, train_y=load("digits").train_y[::-1])


FLAGS_OF_OWN = ("--trials", "2", "--replicates", "1", "--engine", "torch")


@pytest.mark.parametrize("changes", [in_place, replaced])
@pytest.mark.parametrize("workers", [1, 2] if ALL else [1])
def test_a_dataset_that_changes_meanwhile_changes_no_number_and_is_another_study_afterwards(
    changes, workers, tmp_path, cwd, monkeypatch, request
):
    path = tmp_path / "mine.npz"
    own_digits(path)
    flags = (*FLAGS_OF_OWN, "--max-concurrent", str(workers), "--lottery.data.name", str(path))
    # Of two workers the second may begin when the file has changed already.
    address = request.getfixturevalue("ray_address") if workers > 1 else None
    level, changed = Conductor.level, []

    def changing(self: Conductor, trial: Any, report: Any) -> None:
        if not changed:
            changed.append(trial.number)
            changes(path)
        level(self, trial, report)

    with one_process() if workers == 1 else contextlib.nullcontext():
        never = StudyPlace(tmp_path / "never", address).run(*flags)
        with monkeypatch.context() as patch:
            patch.setattr(Conductor, "level", changing)
            first = StudyPlace(tmp_path / "changed", address).run(*flags)
        assert (never.exit_code, first.exit_code) == (0, 0), first.printed
        assert changed
        assert lasting(first.rows()) == lasting(never.rows())
        before = read(first.folder / "records.parquet")
        again = StudyPlace(tmp_path / "changed", address).run(*flags)
    assert again.exit_code == 3
    assert "dataset: " in again.printed
    assert read(first.folder / "records.parquet") == before
