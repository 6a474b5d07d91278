"""The store of cells: one computation each, whoever asks and in whichever order."""

import json
import multiprocessing
import os
import time
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from small_cells import INPUTS, cell, never, obtain

from lttune.store.store import Store


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
    # From this process, as it is: test_guards.py takes the lock away in it. They only write files.
    context = multiprocessing.get_context("fork")
    log = tmp_path / "log"
    workers = [context.Process(target=_contend, args=(tmp_path / "s", log)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(log.read_text().splitlines()) == 1
    assert [worker.exitcode for worker in workers] == [0] * 4


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


def test_locks_are_given_back_when_the_computation_fails(tmp_path):
    with pytest.raises(ZeroDivisionError):
        obtain(Store(tmp_path), INPUTS, lambda: 1 // 0)
    for lock in (tmp_path / "locks").iterdir():
        with FileLock(lock, timeout=0):
            pass
    assert obtain(Store(tmp_path), INPUTS, cell)[2] is False
