"""Servers and databases that are away, locked or broken are named and cost nothing."""

from __future__ import annotations

import importlib
import os
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing

import pytest
from answering import answering, free_port, silent
from dying_mirror import die_at
from forked import forked
from tracked import TrackedRuns, run_study, run_trial, start

from lttune.study.tracking.tracker import Tracker


@pytest.fixture
def closed_port():
    return free_port()


@pytest.fixture
def silent_port():
    with silent() as port:
        yield port


@pytest.mark.slow
@pytest.mark.parametrize("server", ["closed_port", "silent_port"])
@pytest.mark.parametrize("form", ["http://me:hunter2@127.0.0.1:{}", "http://hunter2@127.0.0.1:{}"])
def test_an_unreachable_server_costs_no_time(server, form, request, tmp_path):
    port = request.getfixturevalue(server)
    uri = form.format(port)
    clock = time.perf_counter()
    tracker = Tracker(uri, "away")
    costs = [time.perf_counter() - clock]
    calls = [
        lambda: start(tracker, tmp_path),
        lambda: run_trial(tracker, 0, levels=1),
        lambda: tracker.end_trial(0, "FINISHED", {"a": 1.0}),
        lambda: tracker.finish("FINISHED"),
    ]
    for call in calls:
        clock = time.perf_counter()
        call()
        costs.append(time.perf_counter() - clock)
    assert max(costs) < 0.05
    clock = time.perf_counter()
    reason = tracker.ask()
    assert reason.startswith("the server ")
    assert time.perf_counter() - clock < 3.5
    clock = time.perf_counter()
    said = tracker.close(60)
    assert time.perf_counter() - clock < 1.3
    assert said.startswith(
        f"7 of 7 entries are missing in MLflow at http://***@127.0.0.1:{port}: the server "
    )
    assert "hunter2" not in said + reason + tracker.address
    assert tracker.close(5) == said


@pytest.mark.slow
def test_a_server_that_refuses_the_login_is_named(tmp_path):
    with answering(401) as port:
        tracker = Tracker(f"http://me:hunter2@127.0.0.1:{port}", "away")
        start(tracker, tmp_path)
        said = tracker.close(30)
    assert "3 of 3 entries are missing" in said
    assert "401" in said
    assert "hunter2" not in said


@pytest.mark.slow
@pytest.mark.parametrize("point", ["1", "1660", "whole", "linked"])
def test_a_process_killed_at_its_first_use_breaks_nothing(point, tmp_path):
    uri, database = f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "mlflow.db"
    dies = forked(die_at, point, uri)
    dies.join()
    assert dies.exitcode == -signal.SIGKILL
    left = list(tmp_path.glob(".mlflow.db.*"))
    assert [path for path in left if path.name.endswith(".tmp")]
    assert database.exists() == (point == "linked")

    assert run_study(uri, "after", tmp_path, finished=1) == ""
    assert set(TrackedRuns(uri).runs("after")) == {"after", "trial-000", "trial-001", "trial-002"}
    with closing(sqlite3.connect(database)) as file:
        assert file.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)

    # The next program that comes by has removed what nobody writes any more.
    assert not list(tmp_path.glob(".mlflow.db.*"))


@pytest.mark.slow
def test_a_locked_database_is_not_called_broken(tmp_path, monkeypatch):
    store = importlib.import_module("lttune.study.tracking.store")
    path = tmp_path / "mlflow.db"

    def open_locked(_: str) -> None:
        with closing(sqlite3.connect(path)) as one, closing(sqlite3.connect(path, 0)) as two:
            one.execute("BEGIN EXCLUSIVE")
            two.execute("BEGIN EXCLUSIVE")

    path.touch()
    monkeypatch.setattr(store, "MlflowClient", open_locked)
    tracker = Tracker(f"sqlite:///{path}", "locked")
    start(tracker, tmp_path)
    said = tracker.close(30)
    assert said.endswith("database is locked.")


@pytest.mark.slow
def test_a_database_that_another_program_writes_loses_nothing(tmp_path):
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    tracker = Tracker(uri, "busy")
    start(tracker, tmp_path)
    run_trial(tracker, 0, levels=1)
    _wait_for(lambda: tracker._waiting.is_empty)
    other = sqlite3.connect(tmp_path / "mlflow.db", isolation_level=None)
    with closing(other):
        other.execute("BEGIN IMMEDIATE")
        run_trial(tracker, 0)
        tracker.finish("FINISHED")
        time.sleep(3)
        assert not tracker._waiting.is_empty
        other.execute("COMMIT")
    assert tracker.close(60) == ""
    store = TrackedRuns(uri)
    runs = store.runs("busy")
    assert store.steps(runs["trial-000"], "density") == [0, 1, 2]
    assert runs["busy"].info.status == "FINISHED"


@pytest.mark.slow
def test_who_does_not_speak_as_mlflow_does_is_never_taken_for_it(tmp_path):
    for status, body in (
        (200, ""),
        (200, "{}"),
        (200, "<html>"),
        (429, "{}"),
        (500, "no"),
        (404, ""),
    ):
        with answering(status, body) as port:
            tracker = Tracker(f"http://127.0.0.1:{port}", "strange")
            start(tracker, tmp_path)
            said = tracker.close(20)
        assert said.startswith("3 of 3 entries are missing"), (status, body, said)


def _wait_for(happened: Callable[[], bool]) -> None:
    for _ in range(600):
        if happened():
            return
        time.sleep(0.1)
    raise AssertionError("it never happened")


def test_the_thread_changes_no_variable_of_the_process(closed_port, monkeypatch):
    # Python 3.11 reads the environment without a lock where it starts a process: one that started
    # while another thread set a variable failed with "Bad address".
    variables = ("MLFLOW_LOGGING_LEVEL", "MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK")
    for name in variables:
        monkeypatch.delenv(name, raising=False)
    tracker = Tracker(f"http://127.0.0.1:{closed_port}", "quiet")
    assert all(os.environ.get(name) for name in variables)
    tracker.close(0)
