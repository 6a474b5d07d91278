"""Whatever call fails, and wherever: what MLflow holds in the end is what it would hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import pytest
from cut_calls import CutCalls, Seen, snapshot, ticking
from tracked import run_trial, start

from lttune.study.tracking import sender as module
from lttune.study.tracking.tracker import Tracker

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

Tells: TypeAlias = Callable[[Tracker, Path], None]
STUDY = "it's a `study`"  # A name that no filter of MLflow's can quote.


@pytest.fixture(scope="module")
def uri(tmp_path_factory):
    return f"sqlite:///{tmp_path_factory.mktemp('cuts')}/mlflow.db"


@pytest.fixture(autouse=True)
def _quickly(monkeypatch):
    monkeypatch.setattr(module, "_FIRST_WAIT_S", 0.0)
    monkeypatch.setattr(module, "_TOGETHER_S", 1e6)  # Else a busy machine has it send fewer.


def first(tracker: Tracker, folder: Path) -> None:
    """Three trials that are told in turn: one ends, one is killed, one is left open."""
    start(tracker, folder)
    for number in range(3):
        run_trial(tracker, number, levels=1)
    for level in (1, 2):
        for number in range(3):
            tracker.level(number, level, {"density": 0.8**level, "test_accuracy": level / 7})
    tracker.end_trial(0, "FINISHED", {"best_accuracy": 0.9, "train.lr": 0.1})
    tracker.end_trial(1, "KILLED", {"best_accuracy": 0.8})
    tracker.finish("KILLED", metrics={"trials_finished": 1})


def second(tracker: Tracker, folder: Path) -> None:
    """The same study, run again: what is there stays, and two trials go on."""
    start(tracker, folder, replicates=5)
    tracker.fill(filled(tracker), 2)
    for number, level in ((1, 3), (2, 3), (1, 4), (0, 3)):
        tracker.level(number, level, {"density": 0.8**level, "test_accuracy": level / 7})
    tracker.end_trial(1, "KILLED", {"best_accuracy": 0.85})
    tracker.end_trial(0, "FINISHED", {"best_accuracy": 0.9})
    tracker.end_trial(2, "FINISHED", {"best_accuracy": 0.95})
    tracker.trial(3, "trial-003", {f"p{n}": n for n in range(130)}, {})
    tracker.finish("FINISHED", metrics={"trials_finished": 3})


def filled(tracker: Tracker) -> Iterator[None]:
    run_trial(tracker, 0)
    tracker.end_trial(0, "FINISHED", {"best_accuracy": 0.9, "train.lr": 0.1})
    yield
    run_trial(tracker, 1)
    yield


def told(uri: str, study: str, tells: Tells, folder: Path) -> str:
    """Tells a study whose entries all wait before the first is sent, and returns what is said."""
    tracker = Tracker(uri, study)
    with tracker._waiting.changed:
        tells(tracker, folder)
    return tracker.close(60)


def cut(
    uri: str, study: str, parts: list[Tells], folder: Path, at: int = -1, is_lost: bool = False
) -> tuple[list[str], list[Seen]]:
    """Tells a study, cut in its last part, and returns the calls of that and what MLflow holds."""
    with pytest.MonkeyPatch.context() as patch:
        ticking(patch)
        for tells in parts[:-1]:
            assert told(uri, study, tells, folder) == ""
        calls = CutCalls(patch, at, is_lost)
        assert told(uri, study, parts[-1], folder) == ""
    return calls.made, snapshot(uri, study)


@pytest.fixture(params=[[first], [first, second]], ids=["new", "continued"])
def parts(request):
    return request.param


@pytest.mark.parametrize("is_lost", [False, True], ids=["not-sent", "answer-lost"])
def test_a_call_that_fails_changes_nothing(parts, is_lost, uri, tmp_path):
    name = f"{STUDY} {len(parts)} {is_lost}"
    calls, expected = cut(uri, name, parts, tmp_path)
    for at in range(len(calls)):
        _, found = cut(uri, f"{name} {at}", parts, tmp_path, at=at, is_lost=is_lost)
        assert found == expected, (at, calls[at])


def test_a_driver_that_is_killed_at_a_call_is_completed(uri, tmp_path):
    calls, expected = cut(uri, f"{STUDY} whole", [first], tmp_path)
    expected = [replace(run, times=()) for run in expected]
    for at in range(1, len(calls)):
        name = f"{STUDY} killed {at}"
        with pytest.MonkeyPatch.context() as patch:
            killed = CutCalls(patch, at, is_lost=True)
            killed.is_last = True
            assert told(uri, name, first, tmp_path) != ""
        assert told(uri, name, first, tmp_path) == ""
        found = [replace(run, times=()) for run in snapshot(uri, name)]
        assert found == expected, (at, calls[at])


def test_one_by_one_is_the_same(parts, uri, tmp_path, monkeypatch):
    name = f"{STUDY} {len(parts)}"
    together, expected = cut(uri, f"{name} together", parts, tmp_path)
    monkeypatch.setattr(module, "_TOGETHER_S", 0.0)
    alone, found = cut(uri, f"{name} alone", parts, tmp_path)
    assert found == expected
    assert len(together) < len(alone)
