"""A server of MLflow that dies, hangs and comes back while a study goes on."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable

import pytest
from answering import Door
from tracked import LEVEL_KEYS, TrackedRuns, run_trial, start

from docs import mlflow_page
from lttune.study.tracking import sender as module
from lttune.study.tracking.tracker import Tracker

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def uri(tmp_path_factory):
    return f"sqlite:///{tmp_path_factory.mktemp('server')}/mlflow.db"


@pytest.fixture(scope="module")
def port(uri):
    with mlflow_page.server(uri) as address:
        # Else the thread's import of MLflow takes the time that the tests measure.
        importlib.import_module("lttune.study.tracking.mirror")
        yield int(address.rpartition(":")[2])


@pytest.fixture
def door(port, monkeypatch):
    monkeypatch.setattr(module, "_LONGEST_WAIT_S", 1.0)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
    door = Door(port)
    yield door
    door.shut()


def wait_for(happened: Callable[[], object]) -> None:
    for _ in range(600):
        if happened():
            return
        time.sleep(0.05)
    raise AssertionError("it never happened")


def assert_whole(uri: str, study: str) -> None:
    """Asserts that three trials have every level once, and that no run is there twice."""
    store = TrackedRuns(uri)
    runs = store.runs(study)
    assert set(runs) == {study, "trial-000", "trial-001", "trial-002"}
    for number in range(3):
        for key in LEVEL_KEYS:
            assert store.steps(runs[f"trial-{number:03}"], key) == [0, 1, 2]
    assert {run.info.status for run in runs.values()} == {"FINISHED"}


def end(tracker: Tracker, number: int) -> None:
    tracker.end_trial(number, "FINISHED", {"best_accuracy": 0.9})


@pytest.mark.parametrize("fault", ["shut", "stick"])
def test_what_comes_while_the_server_is_away_is_sent_when_it_is_back(fault, door, uri, tmp_path):
    tracker = Tracker(door.uri, f"back after {fault}")
    assert tracker.ask() == ""
    start(tracker, tmp_path)
    run_trial(tracker, 0)
    wait_for(lambda: tracker._waiting.is_empty)

    getattr(door, fault)()
    costs = []
    for number in (1, 2):
        clock = time.perf_counter()
        run_trial(tracker, number)
        costs.append(time.perf_counter() - clock)
        time.sleep(1)
    assert max(costs) < 0.05
    assert not tracker._waiting.is_empty
    door.open()
    for number in range(3):
        end(tracker, number)
    tracker.finish("FINISHED")
    assert tracker.close(60) == ""
    assert_whole(uri, f"back after {fault}")


@pytest.mark.parametrize("fault", ["shut", "stick"])
def test_a_server_that_goes_in_the_middle_costs_a_second_at_the_end(fault, door, tmp_path):
    tracker = Tracker(door.uri, f"gone after {fault}")
    start(tracker, tmp_path)
    run_trial(tracker, 0)
    wait_for(lambda: tracker._waiting.is_empty)
    getattr(door, fault)()
    run_trial(tracker, 1)
    time.sleep(0.5)
    clock = time.perf_counter()
    said = tracker.close(60)
    assert time.perf_counter() - clock < 1.3
    assert said.startswith("4 of ")
    assert "the server" in said


def test_an_answer_that_is_lost_doubles_no_point(door, uri, tmp_path):
    """The store takes a level, and whoever sent it never hears of that."""
    tracker = Tracker(door.uri, "lost")
    start(tracker, tmp_path)
    run_trial(tracker, 0, levels=1)
    wait_for(lambda: tracker._waiting.is_empty)
    client = tracker._sender._mirror._client
    log_batch, lost = client.log_batch, []

    def loses(*given: object, **named: object) -> None:
        log_batch(*given, **named)
        if named.get("metrics") and len(lost) < 2:
            lost.append(named["metrics"])
            raise ConnectionError("reset by peer")

    client.log_batch = loses
    for number in range(3):
        run_trial(tracker, number)
        end(tracker, number)
    tracker.finish("FINISHED")
    assert tracker.close(60) == ""
    assert lost
    assert_whole(uri, "lost")
