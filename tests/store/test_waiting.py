"""Who waits for a lock longer than a moment says for whom, and for how long."""

from __future__ import annotations

import json
import logging
import threading
import time

import pytest
from filelock import Timeout
from small_cells import INPUTS, cell, never, obtain

from lttune.store import locks
from lttune.store.locks import acquire, file_lock, sign, wait_for
from lttune.store.store import Store, cell_key
from lttune.study.tracking import database


@pytest.fixture
def told(caplog, monkeypatch):
    """Returns the lines that a person was told."""
    caplog.set_level(logging.WARNING)
    monkeypatch.setattr(locks, "TOLD_S", 0.05)
    return lambda: [one.getMessage() for one in caplog.records if one.name == locks.__name__]


@pytest.fixture
def held(tmp_path):
    """A lock that another one has."""
    with file_lock(tmp_path / "lock") as lock:
        yield lock


def test_a_lock_that_is_free_needs_no_word(tmp_path, told):
    lock = file_lock(tmp_path / "free")
    assert not wait_for(lock, 1, "it is had by")
    assert lock.is_locked
    assert told() == []


def test_who_has_it_and_the_longest_wait_are_told_once(held, tmp_path, told):
    other = file_lock(tmp_path / "lock")
    with pytest.raises(Timeout):
        acquire(other, 0.2, "it is had by")
    assert told() == ["it is had by another process: waiting for that, 0.2 s at most"]
    sign(held)
    who = json.loads((tmp_path / "lock").read_text())
    with pytest.raises(Timeout):
        wait_for(other, 0.2, "it is had by", told_s=0)
    named = f"process {who['pid']} on {who['host']}, since {who['since']}"
    assert told()[1:] == [f"it is had by {named}: waiting for that, 0.2 s at most"]


def test_who_is_in_no_hurry_for_it_is_not_told(held, tmp_path, told):
    for timeout_s in (0, 0.04):
        with pytest.raises(Timeout):
            acquire(file_lock(tmp_path / "lock"), timeout_s, "it is had by")
    assert told() == []


def test_who_needs_a_network_that_another_process_trains_is_told(tmp_path, told):
    key = cell_key(INPUTS)
    first = Store(tmp_path)
    with first._locked(key):
        waiting = threading.Thread(target=obtain, args=(Store(tmp_path), INPUTS, cell))
        waiting.start()
        deadline = time.monotonic() + 30
        while not (lines := told()) and time.monotonic() < deadline:
            waiting.join(0.05)
        assert waiting.is_alive()
        assert lines == [
            f"the network {key[:12]} is being trained by another process: waiting for that"
        ]
    waiting.join()
    assert obtain(first, INPUTS, never)[2]


def test_who_waits_for_a_database_is_told(tmp_path, told, monkeypatch):
    monkeypatch.setattr(database, "_LOCK_S", 0.2)
    path = tmp_path / "mlflow.db"
    with (
        database.alone_while_made(path),
        pytest.raises(TimeoutError, match="another program has been making"),
        database.alone_while_made(path),
    ):
        pass
    (line,) = told()
    assert line == f"{path} is being made by another process: waiting for that, 0.2 s at most"
