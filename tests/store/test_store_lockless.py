"""A store on a file system that has no locks: a cell may be computed twice, and is whole."""

import errno
import multiprocessing

import pytest
from filelock import FileLock
from lockless import without_locks
from small_cells import INPUTS, cell, never, obtain

from lttune.errors import NoLocksError, StorageError
from lttune.store.locks import has_locks, only_driver
from lttune.store.remote.places import remarks, require_store
from lttune.store.store import Store

NUMBERS = [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP]


def contend(folder, both, log):
    def compute():
        both.wait(20)
        with log.open("a") as file:
            file.write("computed\n")
        return cell()

    obtain(Store(folder), INPUTS, compute)


@pytest.mark.parametrize("number", NUMBERS)
def test_two_processes_both_compute_a_cell_which_is_whole(number, tmp_path, monkeypatch):
    # As in test_store.py, from this process as it is: its file system is one without locks.
    without_locks(monkeypatch, tmp_path, number)
    context = multiprocessing.get_context("fork")
    both, log = context.Barrier(2), tmp_path / "log"
    given = (tmp_path / "s", both, log)
    workers = [context.Process(target=contend, args=given) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert log.read_text().splitlines() == ["computed"] * 2
    store = Store(tmp_path / "s")
    assert obtain(store, INPUTS, never)[1].record == cell().record
    assert not any((tmp_path / "s" / "drafts").iterdir())
    assert not (tmp_path / "s" / "damaged").exists()


def test_a_damaged_cell_is_set_aside_and_computed_again(tmp_path, monkeypatch):
    without_locks(monkeypatch, tmp_path)
    store = Store(tmp_path)
    key, _, _ = obtain(store, INPUTS, cell)
    (store.path(key) / "record.json").write_text("")
    assert obtain(store, INPUTS, cell)[2] is False
    assert store.read(key) is not None


def test_one_that_another_process_sets_aside_just_now_is_no_error(tmp_path, monkeypatch):
    without_locks(monkeypatch, tmp_path)
    store = Store(tmp_path)
    key, _, _ = obtain(store, INPUTS, cell)
    (store.path(key) / "record.json").write_text("")

    def moved(source, target):
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(source))

    with monkeypatch.context() as patch:
        patch.setattr("lttune.store.store.shutil.move", moved)
        # Here it lies there still; where it was moved, the cell takes its place.
        with pytest.raises(StorageError, match="Directory not empty"):
            obtain(store, INPUTS, cell)
    assert obtain(store, INPUTS, cell)[2] is False


def test_a_cell_that_was_sealed_since_it_was_looked_at_stays(tmp_path, monkeypatch):
    without_locks(monkeypatch, tmp_path)
    late, sealed = Store(tmp_path), []
    set_aside = Store._set_aside

    def meanwhile(self, folder):
        if self is late and not sealed:
            sealed.append(obtain(Store(tmp_path), INPUTS, cell)[0])
        set_aside(self, folder)
        # Nobody finds the place empty, whoever is killed before he seals his own.
        assert Store(tmp_path).read(folder.name) is not None

    with monkeypatch.context() as patch:
        patch.setattr(late, "_set_aside", meanwhile.__get__(late))
        assert obtain(late, INPUTS, cell)[:3:2] == (sealed[0], False)
    assert list((tmp_path / "damaged").iterdir()) == []
    assert not any((tmp_path / "drafts").iterdir())


def test_what_a_person_should_know_is_one_line_and_leaves_nothing(tmp_path, monkeypatch):
    require_store(str(tmp_path))
    assert has_locks(tmp_path)
    assert remarks(str(tmp_path)) == ()
    without_locks(monkeypatch, tmp_path)
    require_store(str(tmp_path))
    (line,) = remarks(str(tmp_path))
    assert line.startswith(f"{tmp_path} has no locks: processes that need one network at a time")
    assert list(tmp_path.iterdir()) == []


def test_a_study_of_two_drivers_would_lose_rows_and_so_needs_locks(tmp_path, monkeypatch):
    without_locks(monkeypatch, tmp_path)
    told = r"lock cannot be locked: Function not implemented; out must be a folder .* with locks: "
    told += r"give --out on a disk of this machine, and what all nodes see as --store"
    with pytest.raises(NoLocksError, match=told), only_driver(tmp_path):
        pass


def test_a_lock_that_cannot_be_had_for_another_reason_is_still_an_error(tmp_path, monkeypatch):
    def failing(lock, **given):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(FileLock, "acquire", failing)
    with pytest.raises(StorageError, match="Permission denied") as error:
        obtain(Store(tmp_path), INPUTS, never)
    assert not isinstance(error.value, NoLocksError)
