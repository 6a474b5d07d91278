"""Cells behind a URL: sealed by their last object, the same for all, whatever ends in between."""

import hashlib
import itertools
import json
import os
import shutil
import socket
import subprocess
import sys

import pytest
import torch
from object_store import bucket_of
from small_cells import INPUTS, cell, full, never, obtain

from lttune.errors import UnreachableError
from lttune.store.files import refused_write
from lttune.store.remote import objects
from lttune.store.remote.bucket import Bucket
from lttune.store.remote.places import store_at
from lttune.store.store import Store, cell_key

pytestmark = pytest.mark.slow

FILES = ("record.json", "times.json", "tensors.safetensors")


def timed(seconds):
    """Returns what computes the cell and notes other times than another one does."""

    def compute():
        made = cell()
        made.times["t"] = seconds
        return made

    return compute


def test_what_one_machine_computes_another_reads_bit_for_bit(bucket, another):
    key, mine, was_there = obtain(store_at(bucket.url), INPUTS, cell)
    assert not was_there
    written = {one.name: one.read_bytes() for one in store_at(bucket.url).path(key).iterdir()}
    another()
    store = store_at(bucket.url)
    again, theirs, was_there = obtain(store, INPUTS, never)
    assert (again, was_there) == (key, True)
    assert (theirs.record, theirs.times) == (mine.record, mine.times)
    assert torch.equal(theirs.tensors["weights/fc1.weight"], torch.arange(6.0))
    assert {one.name: one.read_bytes() for one in store.path(key).iterdir()} == written


def test_the_objects_are_the_files_of_a_folder_under_names_with_their_digests(bucket, tmp_path):
    key, _, _ = obtain(store_at(bucket.url), INPUTS, cell)
    obtain(Store(tmp_path / "folder"), INPUTS, cell)
    found, names = bucket.objects(), []
    for name in FILES:
        data = (tmp_path / "folder" / key[:2] / key / name).read_bytes()
        stem, _, ending = name.partition(".")
        names.append(f"{key[:2]}/{key}/{stem}-{hashlib.sha256(data).hexdigest()[:16]}.{ending}")
        assert found.pop(names[-1]) == data
    assert list(found) == [f"{key[:2]}/{key}/seal.json"]


def test_the_seal_is_put_last(bucket, monkeypatch):
    put, names = Bucket.put, []
    monkeypatch.setattr(Bucket, "put", lambda b, n, data: (put(b, n, data), names.append(n))[0])
    obtain(store_at(bucket.url), INPUTS, cell)
    assert len(names) == 4
    assert names[-1].endswith("/seal.json")


KILLED = """
import os, sys
from small_cells import INPUTS, cell, obtain
from lttune.store.remote.places import store_at
for number, url, caches in zip(*[iter(sys.argv[1:])] * 3):
    if not os.fork():
        os.environ |= {"LTTUNE_FAULT": f"cell.object:{number}:kill", "XDG_CACHE_HOME": caches}
        obtain(store_at(url), INPUTS, cell)
    print(os.WTERMSIG(os.wait()[1]))
"""
"""Computes a cell in a process that is killed after its first objects were put."""


def test_a_kill_between_two_objects_leaves_no_cell_and_loses_nothing(s3_port, machine, tmp_path):
    def on(number, name="mine"):
        patch.setenv("XDG_CACHE_HOME", str(tmp_path / f"{name}{number}"))

    killed = {number: bucket_of(s3_port) for number in (1, 2, 3)}
    given = [str(one) for n, b in killed.items() for one in (n, b.url, tmp_path / f"mine{n}")]
    found = subprocess.run(
        [sys.executable, "-c", KILLED, *given],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.split() == ["9"] * 3
    with pytest.MonkeyPatch.context() as patch:
        for number, bucket in killed.items():
            assert len(bucket.objects()) == number
            assert bucket.cells() == {}
            on(number, "theirs")
            assert store_at(bucket.url).read(cell_key(INPUTS)) is None
            # The same machine has it, and puts what is missing.
            on(number)
            key, _, was_there = obtain(store_at(bucket.url), INPUTS, never)
            assert (was_there, list(bucket.cells())) == (True, [key])
            on(number, "theirs")
            assert obtain(store_at(bucket.url), INPUTS, never)[2]


@pytest.mark.parametrize("name", [*FILES, "seal.json"])
@pytest.mark.parametrize("damage", ["missing", "empty", "flipped", "another's"])
def test_a_damaged_cell_is_computed_again_and_overwritten(bucket, another, name, damage):
    key, _, _ = obtain(store_at(bucket.url), INPUTS, cell)
    before = bucket.objects()
    stem = f"{key[:2]}/{key}/{name.partition('.')[0]}"
    (place,) = [one for one in before if one.startswith(stem)]
    data = before[place]
    if damage == "missing":
        bucket.remove(place)
    else:
        flipped = bytes([data[0] ^ 1]) + data[1:]
        bucket.put(place, {"empty": b"", "flipped": flipped, "another's": b"{}"}[damage])
    another()
    store = store_at(bucket.url)
    assert store.read(key) is None
    assert obtain(store, INPUTS, cell)[2] is False
    another("third")
    assert obtain(store_at(bucket.url), INPUTS, never)[2]
    assert bucket.objects() == before


def test_a_seal_that_leads_elsewhere_is_none(bucket):
    name = "ab" + "0" * 62
    files = {"record.json": "../../../x", "times.json": "/etc/passwd"}
    seal = {"key": name, "files": files, "inputs": {}}
    bucket.put(f"ab/{name}/seal.json", json.dumps(seal).encode())
    assert store_at(bucket.url).read(name) is None


def orders():
    """Every order in which two writers' four objects can be put."""
    for mine in itertools.combinations(range(8), 4):
        yield [0 if place in mine else 1 for place in range(8)]


def test_whatever_order_two_writers_put_their_objects_in_the_cell_is_sound(bucket, tmp_path):
    # Two machines computed it, whose times differ.
    writers = []
    for name, seconds in (("one", 1.0), ("two", 2.0)):
        store = Store(tmp_path / name)
        key, _, _ = obtain(store, INPUTS, timed(seconds))
        writers.append(store.path(key))
    taken = {}

    class Noting:
        def put(self, name, data):
            steps.append((name, data))

        def get(self, name):
            return taken.get(name)

    noted = []
    for folder in writers:
        steps = []
        objects.put_cell(Noting(), key, folder)
        noted.append(steps)
    assert noted[0] != noted[1]
    count = 0
    for order in orders():
        taken.clear()
        left = [iter(steps) for steps in noted]
        sealed = False
        for who in order:
            name, data = next(left[who])
            taken[name] = data
            sealed |= name.endswith("seal.json")
            # At every moment from the first seal on, whoever reads finds a whole cell.
            assert (objects.fetch_cell(Noting(), key) is not None) == sealed, order
        count += 1
    assert count == 70
    # And so it is on the server, for the order that a single name for the times would spoil.
    for who in (0, 1):
        for name, data in noted[who][:3]:
            bucket.put(name, data)
    for who in (1, 0):
        bucket.put(*noted[who][3])
    found = store_at(bucket.url).read(key)
    assert found is not None
    assert found.times == {"t": 1.0}


class Refusing:
    """A file system that has nothing and takes nothing."""

    def open_input_stream(self, path):
        raise FileNotFoundError(path)

    def open_output_stream(self, path):
        raise OSError("AWS Error NETWORK_CONNECTION during PutObject operation")


def test_a_cell_that_could_not_be_put_is_put_by_who_reads_it_next(bucket, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("lttune.store.remote.bucket.file_system_of", lambda url: Refusing())
        store = store_at(bucket.url, behind=True)
        obtain(store, INPUTS, cell)
        with pytest.raises(UnreachableError, match=r"cannot be used: AWS Error NETWORK_CONN") as e:
            store.settle()
        # The study ends with it as at a full disk, and the trial waits.
        assert refused_write(e.value) is e.value
    assert bucket.objects() == {}
    key, _, was_there = obtain(store_at(bucket.url), INPUTS, never)
    assert was_there
    assert list(bucket.cells()) == [key]
    before = bucket.objects()
    bucket.remove(f"{key[:2]}/{key}/seal.json")
    obtain(store_at(bucket.url), INPUTS, never)
    assert bucket.objects() == before


def test_of_cells_that_were_computed_together_none_is_lost(bucket, monkeypatch):
    inputs = [{"replicate": replicate} for replicate in range(3)]
    with monkeypatch.context() as patch:
        patch.setattr("lttune.store.remote.bucket.file_system_of", lambda url: Refusing())
        with pytest.raises(UnreachableError):
            store_at(bucket.url).obtain(inputs, lambda missing: [cell() for _ in missing])
    assert all(one.reused for one in store_at(bucket.url).obtain(inputs, never))
    assert len(bucket.cells()) == 3
    assert list((bucket.cache / "unsent").iterdir()) == []


def test_a_damaged_copy_is_fetched_again(bucket):
    key, _, _ = obtain(store_at(bucket.url), INPUTS, cell)
    store = store_at(bucket.url)
    (store.path(key) / "record.json").write_text("")
    assert obtain(store, INPUTS, never)[2]
    assert Store(bucket.cache).read(key) is not None
    assert [one.name[:64] for one in (bucket.cache / "damaged").iterdir()] == [key]


def test_a_full_disk_keeps_nobody_from_what_is_there(bucket, another, monkeypatch):
    obtain(store_at(bucket.url), INPUTS, cell)
    another()
    monkeypatch.setattr("lttune.store.remote.url_store.cells.give_name", full)
    assert obtain(store_at(bucket.url, writes=False), INPUTS, never)[2]
    assert not any((bucket.cache / "drafts").iterdir())


def test_the_copy_may_be_removed(bucket):
    obtain(store_at(bucket.url), INPUTS, cell)
    shutil.rmtree(bucket.cache)
    assert obtain(store_at(bucket.url), INPUTS, never)[2]


def test_stores_of_other_urls_have_other_copies(bucket, monkeypatch):
    key, _, _ = obtain(store_at(bucket.url), INPUTS, cell)
    elsewhere = bucket.url.replace("/nets?", "/other?")
    assert store_at(elsewhere).read(key) is None


def test_a_read_that_nobody_answers_says_nothing_of_the_cell(bucket):
    with socket.socket() as gone:
        gone.bind(("127.0.0.1", 0))
        store = store_at(bucket.url.replace(str(bucket.port), str(gone.getsockname()[1])))
        with pytest.raises(UnreachableError, match=r"cannot be used: .*; see that this machine"):
            obtain(store, INPUTS, never)
