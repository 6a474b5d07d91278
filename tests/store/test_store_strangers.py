"""A store that somebody else made, or that cannot be read just now: nothing of it is touched."""

import errno
import os
import shutil

import pytest
from small_cells import INPUTS, cell, never, obtain

from lttune.errors import StorageError
from lttune.store import cells
from lttune.store.files import read_whole
from lttune.store.store import Store, require_writable


def tree(folder):
    return {path: path.lstat().st_mtime_ns for path in sorted(folder.rglob("*"))}


@pytest.fixture
def victim(tmp_path):
    """A folder beside the store that is not the store's."""
    folder = tmp_path / "victim"
    folder.mkdir()
    (folder / "work.txt").write_text("mine")
    return folder


@pytest.mark.parametrize("key", ["", "../victim", "ab", "G" * 64, "A" * 64, "a" * 65, None, 3])
def test_what_is_no_key_is_no_place(tmp_path, victim, key):
    before = tree(tmp_path)
    with pytest.raises(StorageError, match="key must be 64 hexadecimal digits"):
        Store(tmp_path / "cells").read(key)
    assert tree(tmp_path) == before


def test_an_absolute_path_is_no_key(tmp_path, victim):
    with pytest.raises(StorageError, match="key must be 64 hexadecimal digits"):
        Store(tmp_path / "cells").read(str(victim))
    assert (victim / "work.txt").read_text() == "mine"
    assert not (tmp_path / "cells").exists()


@pytest.mark.parametrize("at", ["locks", "drafts", "damaged", "prefix", "cell"])
def test_a_link_to_elsewhere_is_not_written_to(tmp_path, victim, at):
    store = Store(tmp_path / "cells")
    key = obtain(store, INPUTS, cell)[0]
    (store.path(key) / "record.json").write_text("")  # A cell that would be set aside.
    place = {"prefix": store.path(key).parent, "cell": store.path(key)}
    link = place.get(at, store.folder / at)
    if link.exists():
        shutil.rmtree(link)
    link.symlink_to(victim)
    with pytest.raises(StorageError, match=r"must lie in .*cells, but leads to .*victim"):
        obtain(store, INPUTS, cell)
    assert [path.name for path in victim.iterdir()] == ["work.txt"]


@pytest.mark.parametrize("code", [errno.ESTALE, errno.EIO, errno.EMFILE, errno.EACCES])
@pytest.mark.parametrize("name", ["seal.json", "record.json", "tensors.safetensors"])
def test_a_cell_that_cannot_be_read_is_not_damaged(tmp_path, monkeypatch, code, name):
    store = Store(tmp_path)
    key = obtain(store, INPUTS, cell)[0]
    before = tree(tmp_path)

    def failing(path):
        if path.name == name:
            raise OSError(code, os.strerror(code), str(path))
        return read_whole(path)

    monkeypatch.setattr("lttune.store.plain_json.read_whole", failing)
    monkeypatch.setattr(cells, "read_whole", failing)
    told = rf"{key} cannot be read: {os.strerror(code)}"
    with pytest.raises(StorageError, match=told):
        store.read(key)
    with pytest.raises(StorageError, match=told):
        obtain(store, INPUTS, never)
    assert tree(tmp_path) == before
    monkeypatch.undo()
    assert obtain(store, INPUTS, never)[2]


@pytest.mark.parametrize("name", ["record.json", "seal.json"])
def test_a_folder_or_a_pipe_in_the_place_of_a_file_is_damage(tmp_path, name):
    for number, make in enumerate((os.mkdir, os.mkfifo)):
        store = Store(tmp_path / str(number))
        path = store.path(obtain(store, INPUTS, cell)[0]) / name
        path.unlink()
        make(path)
        assert obtain(store, INPUTS, cell)[2] is False
        assert obtain(store, INPUTS, never)[2]


@pytest.mark.parametrize("files", [["../victim/work.txt"], ["record.json", "times.json", "x.json"]])
def test_a_seal_names_no_other_files(tmp_path, victim, files, monkeypatch):
    store = Store(tmp_path / "cells")
    key = obtain(store, INPUTS, cell)[0]
    seal = {"key": key, "files": dict.fromkeys(files, "0" * 64), "inputs": {}}
    cells.write_draft(store.path(key) / "seal.json", seal)
    read = []
    monkeypatch.setattr(cells, "read_whole", lambda path: read.append(path) or read_whole(path))
    assert store.read(key) is None
    assert read == [store.path(key) / "seal.json"]


def test_who_only_reads_locks_writes_and_moves_nothing(tmp_path):
    key = obtain(Store(tmp_path), INPUTS, cell)[0]
    shutil.rmtree(tmp_path / "locks")
    (Store(tmp_path).path(key) / "record.json").write_text("")
    before = tree(tmp_path)
    reader = Store(tmp_path, writes=False)
    assert obtain(reader, INPUTS, cell)[2] is False
    assert obtain(reader, {"replicate": 1}, cell)[2] is False
    assert tree(tmp_path) == before


def test_a_link_where_writing_is_tried_is_not_written_through(tmp_path, victim, monkeypatch):
    store = tmp_path / "cells"
    store.mkdir()
    for link in (store / f".probe-{os.getpid()}", store / "planted"):
        link.symlink_to(victim / "work.txt")
    require_writable(store)
    monkeypatch.setattr("lttune.store.store.temporary_beside", lambda path: store / "planted")
    with pytest.raises(StorageError, match=r"cannot write to .*: File exists"):
        require_writable(store)
    assert (victim / "work.txt").read_text() == "mine"
    assert len(list(store.iterdir())) == 2
