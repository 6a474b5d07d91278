import errno
import json
import multiprocessing
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lttune.errors import StorageError
from lttune.store.cells import Cell
from lttune.store.files import write_draft
from lttune.store.store import Store, require_writable

INPUTS = {"train": {"lr": 0.1}, "replicate": 0}


def cell(value=1.0):
    record = {"measures": {"test_accuracy": value}, "history": []}
    return Cell(record=record, tensors={"weights/fc1.weight": torch.arange(6.0)}, times={"t": 1.5})


def never():
    raise AssertionError("computed again")


def obtain(store, inputs, compute):
    found = store.obtain([inputs], lambda missing: [compute() for _ in missing])[0]
    return found.key, found.cell, found.reused


def test_a_finished_cell_is_never_computed_again(tmp_path):
    key, first, was_there = obtain(Store(tmp_path), INPUTS, cell)
    assert not was_there
    again_key, second, was_there = obtain(Store(tmp_path), INPUTS, never)
    assert was_there
    assert again_key == key
    assert second.record == first.record
    assert second.times == first.times
    assert torch.equal(second.tensors["weights/fc1.weight"], torch.arange(6.0))


@pytest.mark.parametrize("other", [{"train": {"lr": 0.2}}, {"replicate": 1}, {"branch": "reinit"}])
def test_other_inputs_are_another_cell(other, tmp_path):
    store = Store(tmp_path)
    assert obtain(store, INPUTS, cell)[0] != obtain(store, {**INPUTS, **other}, cell)[0]


def test_the_order_of_inputs_does_not_matter(tmp_path):
    store = Store(tmp_path)
    key = obtain(store, INPUTS, cell)[0]
    assert obtain(store, dict(reversed(INPUTS.items())), never)[0] == key


def test_a_key_is_pinned(tmp_path):
    # A change here forgets every network ever stored.
    key = obtain(Store(tmp_path), INPUTS, cell)[0]
    assert key == "dad971fcccf4ec7f72b965e595429b6cb452b5aec3ed006be37cca077e816205"


def test_there_are_only_json_and_safetensors(tmp_path):
    store = Store(tmp_path)
    folder = store.path(obtain(store, INPUTS, cell)[0])
    names = {path.name for path in folder.iterdir()}
    assert names == {"record.json", "times.json", "tensors.safetensors", "seal.json"}
    assert json.loads((folder / "seal.json").read_text())["inputs"] == INPUTS


@pytest.mark.parametrize("name", ["record.json", "times.json", "tensors.safetensors", "seal.json"])
@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "flipped"])
def test_a_damaged_cell_is_set_aside_and_computed_again(name, damage, tmp_path):
    store = Store(tmp_path)
    key, _, _ = obtain(store, INPUTS, cell)
    path = store.path(key) / name
    data = bytearray(path.read_bytes())
    if damage == "missing":
        path.unlink()
    else:
        data[len(data) // 2] ^= 1
        path.write_bytes({"empty": b"", "cut": bytes(data[:-1]), "flipped": bytes(data)}[damage])
    if name == "seal.json" and damage in ("cut", "flipped"):
        # A byte of the seal that no promise rests on, such as a space, may differ.
        path.write_bytes(path.read_bytes()[: len(data) // 2])
    assert store.read(key) is None
    assert next(p.name for p in (tmp_path / "damaged").iterdir()).startswith(key)
    again_key, again, was_there = obtain(store, INPUTS, cell)
    assert (again_key, was_there) == (key, False)
    assert again.record == cell().record
    assert store.read(key) is not None


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), which=st.integers(0, 2))
def test_one_flipped_bit_anywhere_is_never_read(place, bit, which, tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("store"))
    key = obtain(store, INPUTS, cell)[0]
    path = store.path(key) / ["record.json", "times.json", "tensors.safetensors"][which]
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= 1 << bit
    path.write_bytes(data)
    assert store.read(key) is None


def test_a_cell_under_anothers_name_is_refused(tmp_path):
    store = Store(tmp_path)
    key = obtain(store, INPUTS, cell)[0]
    foreign = "ab" + key[2:]
    store.path(foreign).parent.mkdir(exist_ok=True)
    store.path(key).rename(store.path(foreign))
    assert store.read(foreign) is None


def test_a_kill_while_a_cell_is_written_leaves_none(tmp_path, monkeypatch):
    store = Store(tmp_path)

    def killed(path, values):
        if path.name == "seal.json":
            raise KeyboardInterrupt
        write_draft(path, values)

    monkeypatch.setattr("lttune.store.cells.write_draft", killed)
    with pytest.raises(KeyboardInterrupt):
        obtain(store, INPUTS, cell)
    monkeypatch.undo()
    assert [p.name for p in tmp_path.glob("??/*")] == []
    assert obtain(store, INPUTS, cell)[2] is False
    assert not (tmp_path / "damaged").exists()


def test_a_cell_has_its_name_only_when_all_of_it_is_on_the_disk(tmp_path, monkeypatch):
    store, flushed = Store(tmp_path), []

    def flush(path):
        named = list(tmp_path.glob("??/*/seal.json"))
        flushed.append((path.name, bool(named)))

    monkeypatch.setattr("lttune.store.store.flush", flush)
    key = obtain(store, INPUTS, cell)[0]
    before, after = sorted(flushed[:-1]), flushed[-1]
    files = ["record.json", "seal.json", "tensors.safetensors", "times.json"]
    assert [name for name, _ in before if "." in name] == files
    assert len(before) == len(files) + 1  # The folder that they were written in.
    assert not any(named for _, named in before)
    assert after == (key[:2], True)


def test_a_cell_that_the_disk_does_not_take_is_no_cell(tmp_path, monkeypatch):
    store = Store(tmp_path)

    def full(path):
        if path.name == "times.json":
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("lttune.store.store.flush", full)
    with pytest.raises(StorageError, match=r"cannot write the cell store .* No space left"):
        obtain(store, INPUTS, cell)
    monkeypatch.undo()
    assert obtain(store, INPUTS, cell)[2] is False


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


def test_a_failed_computation_leaves_no_cell(tmp_path):
    store = Store(tmp_path)
    with pytest.raises(ZeroDivisionError):
        obtain(store, INPUTS, lambda: 1 // 0)
    assert obtain(store, INPUTS, cell)[2] is False


def _contend(folder, log):
    def compute():
        with log.open("a") as file:
            file.write(f"{os.getpid()}\n")
        time.sleep(0.2)
        return cell()

    obtain(Store(folder), INPUTS, compute)


def test_processes_that_need_one_cell_compute_it_once(tmp_path):
    context = multiprocessing.get_context("fork")
    log = tmp_path / "log"
    workers = [context.Process(target=_contend, args=(tmp_path / "s", log)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert len(log.read_text().splitlines()) == 1


def test_several_cells_are_computed_together_and_only_the_missing_ones(tmp_path):
    store = Store(tmp_path)
    inputs = [{"replicate": r} for r in (0, 1, 2, 1)]
    obtain(store, inputs[0], cell)
    asked = []

    def compute(missing):
        asked.append(missing)
        return [cell(float(index)) for index in missing]

    found = store.obtain(inputs, compute)
    assert asked == [[1, 2]]
    assert [stored.reused for stored in found] == [True, False, False, False]
    values = [stored.cell.record["measures"]["test_accuracy"] for stored in found]
    assert values == [1.0, 1.0, 2.0, 1.0]
    assert all(stored.reused for stored in store.obtain(inputs, never))


def test_locks_are_taken_in_one_order_whatever_is_asked_first(tmp_path, monkeypatch):
    # Two processes that take the same locks in other orders can wait for each other for ever.
    taken, acquire = [], FileLock.acquire

    def noted(lock, *args, **kwargs):
        taken.append(Path(lock.lock_file).stem)
        return acquire(lock, *args, **kwargs)

    monkeypatch.setattr(FileLock, "acquire", noted)
    inputs = [{"replicate": replicate} for replicate in range(8)]
    for folder, asked in (("one", inputs), ("other", inputs[::-1])):
        Store(tmp_path / folder).obtain(asked, lambda missing: [cell() for _ in missing])
    assert len(set(taken)) == 8
    assert taken[:8] == taken[8:] == sorted(set(taken))


def full(*args, **kwargs):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_lock_that_cannot_be_made_is_one_line(tmp_path, monkeypatch):
    store = Store(tmp_path)
    monkeypatch.setattr(FileLock, "acquire", full)
    with pytest.raises(StorageError, match=r"cannot write the cell store .* No space left"):
        obtain(store, INPUTS, never)
    monkeypatch.undo()
    assert obtain(store, INPUTS, cell)[2] is False


def test_locks_are_given_back_when_the_computation_fails(tmp_path):
    with pytest.raises(ZeroDivisionError):
        obtain(Store(tmp_path), INPUTS, lambda: 1 // 0)
    for lock in (tmp_path / "locks").iterdir():
        with FileLock(lock, timeout=0):
            pass
    assert obtain(Store(tmp_path), INPUTS, cell)[2] is False


@pytest.mark.parametrize("failing", ["cells.write_draft", "cells.save_file", "store.flush"])
def test_a_cell_that_cannot_be_written_leaves_no_draft(failing, tmp_path, monkeypatch):
    store = Store(tmp_path)
    monkeypatch.setattr(f"lttune.store.{failing}", full)
    with pytest.raises(StorageError, match="No space left"):
        obtain(store, INPUTS, cell)
    assert not any((tmp_path / "drafts").iterdir())
    assert list(tmp_path.glob("??/*")) == []
    monkeypatch.undo()
    assert obtain(store, INPUTS, cell)[2] is False


def test_a_damaged_cell_that_cannot_be_moved_is_one_line(tmp_path, monkeypatch):
    store = Store(tmp_path)
    key, _, _ = obtain(store, INPUTS, cell)
    (store.path(key) / "record.json").write_text("")
    monkeypatch.setattr("lttune.store.store.shutil.move", full)
    with pytest.raises(StorageError, match="No space left"):
        store.read(key)


def test_a_store_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write to"):
        require_writable(tmp_path / "file" / "cells")
