"""Whatever call fails, and wherever: what MLflow holds in the end is what it would hold."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeAlias

import pytest
from cut_calls import CutCalls, Seen, snapshot, ticking
from sqlalchemy import event
from sqlalchemy.engine import Engine
from tracked import run_trial

from lttune.study.tracking import sender as module
from lttune.study.tracking.tracker import Tracker

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

Tells: TypeAlias = Callable[[Tracker], None]
STUDY = "it's a `study`"  # A name that no filter of MLflow's can quote.


@pytest.fixture(scope="module")
def uri(tmp_path_factory):
    def hasten(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA synchronous = OFF")

    event.listen(Engine, "connect", hasten)
    yield f"sqlite:///{tmp_path_factory.mktemp('cuts')}/mlflow.db"
    event.remove(Engine, "connect", hasten)


@pytest.fixture(autouse=True)
def _quickly(monkeypatch):
    monkeypatch.setattr(module, "_FIRST_WAIT_S", 0.0)
    monkeypatch.setattr(module, "_TOGETHER_S", 1e6)  # Else a busy machine has it send fewer.


def start(tracker: Tracker, **params: object) -> None:
    tags = {"mlflow.source.name": "tiny_study.py"}
    tracker.start(description="", params=params, tags=tags, files=[], dataset=None)


def first(tracker: Tracker) -> None:
    """Three trials that are told in turn: one ends, one is killed, one is left open."""
    start(tracker)
    for number in range(3):
        run_trial(tracker, number, levels=1)
    for level in (1, 2):
        for number in range(3):
            tracker.level(number, level, {"density": 0.8**level, "test_accuracy": level / 7})
    tracker.end_trial(0, "FINISHED", {"best_accuracy": 0.9, "train.lr": 0.1})
    tracker.end_trial(1, "KILLED", {"best_accuracy": 0.8})
    tracker.finish("KILLED", metrics={"trials_finished": 1})


def second(tracker: Tracker) -> None:
    """The same study, run again: what is there stays, and two trials go on."""
    start(tracker, replicates=5)
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


def told(uri: str, study: str, tells: Tells) -> str:
    """Tells a study whose entries all wait before the first is sent, and returns what is said."""
    tracker = Tracker(uri, study)
    with tracker._waiting.changed:
        tells(tracker)
    return tracker.close(60)


def cut(
    uri: str, study: str, parts: list[Tells], at: int = -1, is_lost: bool = False
) -> tuple[list[str], list[Seen]]:
    """Tells a study, cut in its last part, and returns the calls of that and what MLflow holds."""
    with pytest.MonkeyPatch.context() as patch:
        ticking(patch)
        for tells in parts[:-1]:
            assert told(uri, study, tells) == ""
        calls = CutCalls(patch, at, is_lost)
        assert told(uri, study, parts[-1]) == ""
    return calls.made, snapshot(uri, study)


@pytest.fixture(params=[[first], [first, second]], ids=["new", "continued"])
def parts(request):
    return request.param


@pytest.mark.parametrize("is_lost", [False, True], ids=["not-sent", "answer-lost"])
def test_a_call_that_fails_changes_nothing(parts, is_lost, uri):
    name = f"{STUDY} {len(parts)} {is_lost}"
    calls, expected = cut(uri, name, parts)
    for at in range(len(calls)):
        _, found = cut(uri, f"{name} {at}", parts, at=at, is_lost=is_lost)
        assert found == expected, (at, calls[at])


def test_a_driver_that_is_killed_at_a_call_is_completed(uri):
    calls, expected = cut(uri, f"{STUDY} whole", [first])
    expected = [replace(run, times=()) for run in expected]
    for at in range(1, len(calls)):
        name = f"{STUDY} killed {at}"
        with pytest.MonkeyPatch.context() as patch:
            killed = CutCalls(patch, at, is_lost=True)
            killed.is_last = True
            assert told(uri, name, first) != ""
        assert told(uri, name, first) == ""
        found = [replace(run, times=()) for run in snapshot(uri, name)]
        assert found == expected, (at, calls[at])


def test_one_by_one_is_the_same(parts, uri, monkeypatch):
    name = f"{STUDY} {len(parts)}"
    together, expected = cut(uri, f"{name} together", parts)
    monkeypatch.setattr(module, "_TOGETHER_S", 0.0)
    alone, found = cut(uri, f"{name} alone", parts)
    assert found == expected
    assert len(together) < len(alone)
