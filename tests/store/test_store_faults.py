"""Damage, kills and full disks: no cell is half there, and none is lost."""

import shutil

import pytest
from changed_bytes import flip
from filelock import FileLock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_cells import INPUTS, cell, full, never, obtain

from lttune.errors import StorageError
from lttune.store import cells
from lttune.store.plain_json import write_draft
from lttune.store.store import Store, require_writable


@pytest.mark.parametrize("name", ["record.json", "times.json", "tensors.safetensors", "seal.json"])
@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "flipped"])
def test_a_damaged_cell_is_set_aside_and_computed_again(name, damage, tmp_path):
    store = Store(tmp_path)
    key, _, _ = obtain(store, INPUTS, cell)
    path = store.path(key) / name
    data = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "flipped":
        flip(path)
    else:
        path.write_bytes({"empty": b"", "cut": data[:-1]}[damage])
    if name == "seal.json" and damage in ("cut", "flipped"):
        # A byte of the seal that no promise rests on, such as a space, may differ.
        path.write_bytes(path.read_bytes()[: len(data) // 2])
    before = sorted(tmp_path.rglob("*"))
    assert store.read(key) is None
    assert sorted(tmp_path.rglob("*")) == before  # Who only reads moves nothing.
    again_key, again, was_there = obtain(store, INPUTS, cell)
    assert next(p.name for p in (tmp_path / "damaged").iterdir()).startswith(key)
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

    for place in ("cells", "store"):
        monkeypatch.setattr(f"lttune.store.{place}.flush", flush)
    key = obtain(store, INPUTS, cell)[0]
    before, after = sorted(flushed[:-1]), flushed[-1]
    files = ["record.json", "seal.json", "tensors.safetensors", "times.json"]
    assert [name for name, _ in before if name in files] == files
    # The folder that they were written in, and the one that has theirs from now on.
    assert len(before) == len(files) + 2
    assert not any(named for _, named in before)
    assert after == (key[:2], True)


def test_a_folder_of_cells_is_on_the_disk_before_its_first_cell_is(tmp_path, monkeypatch):
    flushed = []

    def flush(path):
        flushed.append((path, sorted(tmp_path.glob("??/*/seal.json"))))

    for place in ("cells", "store"):
        monkeypatch.setattr(f"lttune.store.{place}.flush", flush)
    # Every cell is in one folder.
    monkeypatch.setattr(Store, "path", lambda store, key: tmp_path / "ab" / key)
    for replicate, times in ((0, 1), (1, 1)):
        obtain(Store(tmp_path), {"replicate": replicate}, cell)
        assert [path for path, _ in flushed].count(tmp_path) == times
    assert (tmp_path, []) in flushed
    assert len(list((tmp_path / "ab").iterdir())) == 2


def test_a_cell_that_the_disk_does_not_take_is_no_cell(tmp_path, monkeypatch):
    store = Store(tmp_path)

    def full(path):
        if path.name == "times.json":
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("lttune.store.store.flush", full)
    with pytest.raises(StorageError, match=r"cannot be written: No space left on device; .* free"):
        obtain(store, INPUTS, cell)
    monkeypatch.undo()
    assert obtain(store, INPUTS, cell)[2] is False


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("theirs", ["sound", "damaged"])
def test_a_cell_that_another_machine_sealed_meanwhile_stays(theirs, behind, tmp_path, monkeypatch):
    """Its disk lost the lock that keeps the two apart."""
    store = Store(tmp_path / "ours", behind=behind)
    key = obtain(Store(tmp_path / "theirs"), INPUTS, cell)[0]
    sealed = Store(tmp_path / "theirs").path(key)
    if theirs == "damaged":
        flip(sealed / "tensors.safetensors")
    write = cells.write

    def late(*draft):
        write(*draft)
        shutil.copytree(sealed, store.path(key))

    def settled():
        found = obtain(store, INPUTS, cell)
        store.settle()
        return found

    monkeypatch.setattr(cells, "write", late)
    if theirs == "damaged":
        with pytest.raises(StorageError, match="Directory not empty"):
            settled()
        assert store.read(key) is None
    else:
        _, found, was_there = settled()
        assert (found.record, was_there) == (cell().record, False)
        assert read_files(store.path(key)) == read_files(sealed)
    assert not any((tmp_path / "ours" / "drafts").iterdir())


def read_files(folder):
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


def test_a_lock_that_cannot_be_made_is_one_line(tmp_path, monkeypatch):
    store = Store(tmp_path)
    monkeypatch.setattr(FileLock, "acquire", full)
    told = r"\.lock cannot be locked: No space left on device; .* are free there; make room and run"
    with pytest.raises(StorageError, match=told):
        obtain(store, INPUTS, never)
    monkeypatch.undo()
    assert obtain(store, INPUTS, cell)[2] is False


@pytest.mark.parametrize("failing", ["cells.write_draft", "cells.write_tensors", "store.flush"])
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
        obtain(store, INPUTS, cell)


def test_a_store_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write to"):
        require_writable(tmp_path / "file" / "cells")
