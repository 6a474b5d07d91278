"""Servers and databases that are away, locked or broken are named and cost nothing."""

from __future__ import annotations

import http.server
import importlib
import itertools
import multiprocessing
import os
import signal
import socket
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine
from tracked import Store, run_study, run_trial, start

from lttune.study.tracking.tracker import Tracker


@pytest.fixture
def closed_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@pytest.fixture
def silent_port():
    """A server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.slow
@pytest.mark.parametrize("server", ["closed_port", "silent_port"])
def test_an_unreachable_server_costs_no_time(server, request, tmp_path):
    # While the thread imports MLflow, the interpreter is shared with it and the clock is not ours.
    importlib.import_module("lttune.study.tracking.mirror")
    port = request.getfixturevalue(server)
    clock = time.perf_counter()
    tracker = Tracker(f"http://me:hunter2@127.0.0.1:{port}", "away")
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
    said = tracker.close(5)
    assert time.perf_counter() - clock < 5.5
    assert said.startswith(
        f"7 of 7 entries are missing in MLflow at http://me:***@127.0.0.1:{port}"
    )
    assert said.endswith("run the study again to fill the gap.")
    assert "hunter2" not in said
    assert tracker.close(5) == said


@pytest.mark.slow
def test_a_server_that_refuses_the_login_is_named(tmp_path):
    class Login(http.server.BaseHTTPRequestHandler):
        def _refuse(self) -> None:
            self.send_error(401)

        do_GET = do_POST = _refuse  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Login) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        tracker = Tracker(f"http://me:hunter2@127.0.0.1:{server.server_port}", "away")
        start(tracker, tmp_path)
        said = tracker.close(30)
        server.shutdown()
    assert "3 of 3 entries are missing" in said
    assert "401" in said
    assert "hunter2" not in said


def _die_at(point: str, uri: str) -> None:
    """Kills this process at a statement, or before or after a whole database has its name."""
    link, statements = Path.hardlink_to, itertools.count(1)

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def count(*_: object) -> None:
        if str(next(statements)) == point:
            die()

    def publish(self: Path, target: Any) -> None:
        if point == "linked":
            link(self, target)
        if not point.isdigit():
            die()
        link(self, target)

    event.listen(Engine, "before_cursor_execute", count)
    Path.hardlink_to = publish
    tracker = Tracker(uri, "dies")
    tracker.start(description="", params={}, tags={}, files=[], dataset=None)
    tracker.close(60)


@pytest.mark.slow
@pytest.mark.parametrize("point", ["1", "1660", "whole", "linked"])
def test_a_process_killed_at_its_first_use_breaks_nothing(point, tmp_path):
    # The process that dies has imported MLflow already: to import it would take longer than to use.
    importlib.import_module("lttune.study.tracking.mirror")
    uri, database = f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "mlflow.db"
    dies = multiprocessing.get_context("fork").Process(target=_die_at, args=(point, uri))
    dies.start()
    dies.join()
    assert dies.exitcode == -signal.SIGKILL
    drafts = list(tmp_path.glob(".mlflow.db.*.draft*"))
    assert drafts
    assert database.exists() == (point == "linked")

    assert run_study(uri, "after", tmp_path, finished=1) == ""
    assert set(Store(uri).runs("after")) == {"after", "trial-000", "trial-001", "trial-002"}
    with closing(sqlite3.connect(database)) as file:
        assert file.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)

    for draft in drafts:
        os.utime(draft, (0, 0))
    tracker = Tracker(uri, "after")
    start(tracker, tmp_path)
    assert tracker.close(60) == ""
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
    assert said.endswith("database is locked; run the study again to fill the gap.")
