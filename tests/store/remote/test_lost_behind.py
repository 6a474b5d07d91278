"""What is lost behind a URL is put again by a sound copy; a copy that changes meanwhile is not."""

import itertools
import shutil

import pytest
from filelock import FileLock
from lockless import without_locks
from small_cells import INPUTS, cell, never, obtain
from test_url_store import FILES, timed

from lttune.errors import UnreachableError
from lttune.store import cells
from lttune.store.files import read_whole
from lttune.store.remote import objects
from lttune.store.remote.bucket import Bucket
from lttune.store.remote.places import store_at
from lttune.store.store import Store, cell_key

pytestmark = pytest.mark.slow


@pytest.fixture
def asked(monkeypatch):
    """Notes every request: what it asks, and of which name."""
    noted = []

    def noting(name):
        ask = getattr(Bucket, name)

        def asking(self, of, *given):
            noted.append((name, of))
            return ask(self, of, *given)

        monkeypatch.setattr(Bucket, name, asking)

    for name in ("get", "put", "sizes"):
        noting(name)
    return noted


def place_of(found, key, name):
    stem = f"{key[:2]}/{key}/{name.partition('.')[0]}"
    (place,) = [one for one in found if one.startswith(stem)]
    return place


@pytest.mark.parametrize("name", [*FILES, "seal.json"])
@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_what_is_lost_there_is_put_by_who_reads_the_copy(bucket, another, name, damage):
    key, _, _ = obtain(store_at(bucket.url), INPUTS, cell)
    before = bucket.objects()
    place = place_of(before, key, name)
    if damage == "missing":
        bucket.remove(place)
    else:
        bucket.put(place, before[place][:-1])
    # Who only reads may not be allowed to put.
    assert obtain(store_at(bucket.url, writes=False), INPUTS, never)[2]
    assert bucket.objects() != before
    assert obtain(store_at(bucket.url), INPUTS, never)[2]
    assert bucket.objects() == before
    another()
    assert obtain(store_at(bucket.url), INPUTS, never)[2]


def test_of_an_emptied_bucket_nobody_trains_a_network_again(bucket):
    obtain(store_at(bucket.url), INPUTS, cell)
    before = bucket.objects()
    for name in before:
        bucket.remove(name)
    assert obtain(store_at(bucket.url, behind=True), INPUTS, never)[2]
    assert bucket.objects() == before


def test_a_bit_that_flipped_there_is_put_right_by_who_trains_it_again(bucket, another):
    key, _, _ = obtain(store_at(bucket.url), INPUTS, timed(1.0))
    before = bucket.objects()
    place = place_of(before, key, "tensors.safetensors")
    bucket.put(place, bytes([before[place][0] ^ 1]) + before[place][1:])
    another()
    assert obtain(store_at(bucket.url), INPUTS, timed(2.0))[2] is False
    another("third")
    assert obtain(store_at(bucket.url), INPUTS, never)[1].times == {"t": 2.0}


def test_what_this_process_put_or_fetched_is_asked_for_no_more(bucket, another, asked):
    store = store_at(bucket.url)
    obtain(store, INPUTS, cell)
    asked.clear()
    assert obtain(store, INPUTS, never)[2]
    assert asked == []
    another()
    store = store_at(bucket.url)
    obtain(store, INPUTS, never)
    asked.clear()
    assert obtain(store, INPUTS, never)[2]
    assert asked == []


def test_cells_of_a_copy_cost_a_request_for_those_whose_keys_begin_alike(bucket, asked):
    inputs = [{"replicate": number} for number in range(40)]
    for one in store_at(bucket.url).obtain(inputs, lambda missing: [cell() for _ in missing]):
        assert not one.reused
    asked.clear()
    store = store_at(bucket.url)
    for _ in range(2):
        keys = [one.key for one in store.obtain(inputs, never)]
    assert len({key[:2] for key in keys}) < len(keys)
    assert sorted(asked) == sorted(("sizes", begin) for begin in {key[:2] for key in keys})


def test_what_another_process_put_meanwhile_is_not_put_again(bucket, asked):
    begun = {}
    for number in itertools.count():
        inputs = {"replicate": number}
        if (before := begun.setdefault(cell_key(inputs)[:2], inputs)) is not inputs:
            break
    obtain(store_at(bucket.url), before, cell)
    store = store_at(bucket.url)
    obtain(store, before, never)
    obtain(store_at(bucket.url), inputs, cell)
    asked.clear()
    key, _, was_there = obtain(store, inputs, never)
    assert (was_there, asked) == (True, [("sizes", f"{key[:2]}/{key}")])


def test_a_url_that_does_not_tell_is_no_reason_to_go_on(bucket, monkeypatch):
    obtain(store_at(bucket.url), INPUTS, cell)

    def gone(self, folder):
        raise UnreachableError("gone")

    monkeypatch.setattr(Bucket, "sizes", gone)
    with pytest.raises(UnreachableError):
        obtain(store_at(bucket.url), INPUTS, never)
    assert obtain(store_at(bucket.url, writes=False), INPUTS, never)[2]


def test_a_copy_that_is_replaced_while_it_is_put_is_not_put_in_part(bucket, tmp_path, monkeypatch):
    mine, theirs = Store(tmp_path / "mine"), Store(tmp_path / "theirs")
    key, _, _ = obtain(mine, INPUTS, timed(1.0))
    obtain(theirs, INPUTS, timed(2.0))

    def swapping(path):
        data = read_whole(path)
        if path == mine.path(key) / "seal.json":
            shutil.rmtree(mine.path(key))
            shutil.copytree(theirs.path(key), mine.path(key))
        return data

    with monkeypatch.context() as patch:
        for module in (cells, objects):
            patch.setattr(module, "read_whole", swapping)
        assert objects.put_cell(Bucket(bucket.url), key, mine.path(key)) is False
    assert bucket.objects() == {}


def test_a_copy_that_is_gone_before_it_is_put_ends_nothing(bucket, monkeypatch):
    put = objects.put_cell
    moved = []

    def late(bucket, key, folder):
        moved.append(shutil.move(folder, folder.with_name("aside")))
        return put(bucket, key, folder)

    with monkeypatch.context() as patch:
        patch.setattr(objects, "put_cell", late)
        key, _, was_there = obtain(store_at(bucket.url), INPUTS, cell)
    assert (len(moved), was_there, bucket.objects()) == (1, False, {})
    assert (bucket.cache / "unsent" / key).exists()
    # Whoever needs it next computes it again.
    assert obtain(store_at(bucket.url), INPUTS, cell)[2] is False
    assert list(bucket.cells()) == [key]


def test_a_copy_that_another_process_has_locked_is_left_to_it(bucket):
    key, _, _ = obtain(store_at(bucket.url), INPUTS, cell)
    store = store_at(bucket.url)
    damaged = store.path(key) / "record.json"
    damaged.write_text("")
    # It is about to set it aside, or has just sealed another one.
    with FileLock(bucket.cache / "locks" / f"{key}.lock"):
        found = store.read(key)
        assert found is not None
        assert found.record == cell().record
        assert damaged.read_text() == ""
    assert not (bucket.cache / "damaged").exists()
    assert not any((bucket.cache / "drafts").iterdir())
    assert store.read(key) is not None
    assert Store(bucket.cache).read(key) is not None


def test_a_damaged_copy_without_locks_is_fetched_again(bucket, monkeypatch):
    key, _, _ = obtain(store_at(bucket.url), INPUTS, cell)
    without_locks(monkeypatch, bucket.cache)
    (store_at(bucket.url).path(key) / "record.json").write_text("")
    assert obtain(store_at(bucket.url), INPUTS, never)[2]
    assert Store(bucket.cache).read(key) is not None
