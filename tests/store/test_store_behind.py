"""A store that writes one cell while the next is computed."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from filelock import FileLock
from small_cells import INPUTS, cell, full, never, obtain

from lttune.errors import StorageError
from lttune.store.store import Store


def held_back(monkeypatch):
    """Makes the disk take nothing before the event that is returned is set."""
    goes_on = threading.Event()
    monkeypatch.setattr("lttune.store.store.flush", lambda path: goes_on.wait(10))
    return goes_on


def test_a_cell_is_computed_while_the_disk_takes_the_one_before(tmp_path, monkeypatch):
    store, goes_on = Store(tmp_path, behind=True), held_back(monkeypatch)
    first = store.obtain([INPUTS], lambda missing: [cell()])[0]
    assert not store.path(first.key).exists()

    def compute(missing):
        assert not store.path(first.key).exists()
        goes_on.set()
        return [cell(2.0)]

    second = store.obtain([{"replicate": 1}], compute)[0]
    assert store.path(first.key).exists()
    store.settle()
    assert [store.read(stored.key).record for stored in (first, second)] == [
        first.cell.record,
        second.cell.record,
    ]


def test_a_cell_that_is_being_written_is_waited_for(tmp_path, monkeypatch):
    store, goes_on = Store(tmp_path, behind=True), held_back(monkeypatch)
    store.obtain([INPUTS], lambda missing: [cell()])
    threading.Timer(0.05, goes_on.set).start()
    assert store.obtain([INPUTS], never)[0].reused


def test_another_process_waits_until_a_cell_is_written(tmp_path, monkeypatch):
    mine, goes_on = Store(tmp_path, behind=True), held_back(monkeypatch)
    other = Store(tmp_path)
    mine.obtain([INPUTS], lambda missing: [cell()])
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(other.obtain, [INPUTS], never)
        with pytest.raises(TimeoutError):
            waiting.result(0.1)
        goes_on.set()
        assert waiting.result()[0].reused


def test_a_disk_that_is_full_is_told_by_the_next_call_which_loses_nothing(tmp_path, monkeypatch):
    store = Store(tmp_path, behind=True)
    monkeypatch.setattr("lttune.store.store.flush", full)
    first = store.obtain([INPUTS], lambda missing: [cell()])[0]

    def compute(missing):
        # The lock of the first one is given back when its writing has failed.
        with FileLock(tmp_path / "locks" / f"{first.key}.lock", timeout=10):
            monkeypatch.undo()
        return [cell()]

    with pytest.raises(StorageError, match="No space left"):
        store.obtain([{"replicate": 1}], compute)
    store.settle()
    assert obtain(Store(tmp_path), {"replicate": 1}, never)[2]


def test_what_settle_raised_is_told_once(tmp_path, monkeypatch):
    store = Store(tmp_path, behind=True)
    monkeypatch.setattr("lttune.store.store.flush", full)
    store.obtain([INPUTS], lambda missing: [cell()])
    with pytest.raises(StorageError, match="No space left"):
        store.settle()
    store.settle()
