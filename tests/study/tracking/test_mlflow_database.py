"""How a new database is made, and what becomes of one that is none."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from filelock import FileLock, Timeout
from tracked import spoil

from lttune.store.temporary import temporary_beside
from lttune.study.tracking.database import alone_while_made, prepare_sqlite, settle_sqlite
from lttune.study.tracking.uri import sqlite_path


class TestPrepareSqlite:
    @pytest.fixture
    def path(self, tmp_path):
        return tmp_path / "new" / "my [db].db"

    @pytest.fixture
    def ended(self):
        """The number of a process that has ended."""
        process = subprocess.Popen([sys.executable, "-c", ""])
        process.wait()
        return process.pid

    def create(self, uri: str) -> None:
        path = sqlite_path(uri)
        assert path
        with closing(sqlite3.connect(path)) as database:
            assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
            database.execute("CREATE TABLE runs (id)")

    def tables(self, path: Path) -> list[str]:
        with closing(sqlite3.connect(path)) as database:
            return [name for (name,) in database.execute("SELECT name FROM sqlite_master")]

    def is_alone(self, path: Path) -> bool:
        return list(path.parent.iterdir()) == [path]

    def test_creates_a_missing_file_in_one_step(self, path):
        def create(uri: str) -> None:
            self.create(uri)
            assert not path.exists()

        prepare_sqlite(path, create)
        assert self.is_alone(path)
        assert self.tables(path) == ["runs"]

    def test_needs_no_hard_links(self, path, monkeypatch):
        def refuse(*_: object) -> None:
            raise PermissionError

        monkeypatch.setattr(Path, "hardlink_to", refuse)
        prepare_sqlite(path, self.create)
        assert self.is_alone(path)
        assert self.tables(path) == ["runs"]

    @pytest.mark.parametrize("seen", [True, False])
    def test_replaces_nothing(self, path, seen, monkeypatch):
        def create(uri: str) -> None:
            self.create(uri)
            path.write_bytes(b"")
            # The file may also appear after the last look.
            monkeypatch.setattr(os.path, "lexists", lambda _: seen)

        prepare_sqlite(path, create)
        assert self.is_alone(path)
        assert path.read_bytes() == b""

    def test_a_failure_leaves_nothing(self, path):
        def create(uri: str) -> None:
            self.create(uri)
            raise OSError("disk full")

        with pytest.raises(OSError, match="disk full"):
            prepare_sqlite(path, create)
        assert not list(path.parent.iterdir())

    def test_uses_an_empty_file_as_it_is(self, path):
        path.parent.mkdir()
        path.touch()
        number = path.stat().st_ino
        prepare_sqlite(path, lambda _: pytest.fail("a draft was made"))
        assert path.stat().st_ino == number
        assert self.tables(path) == []

    def test_ignores_the_journal_of_a_file_that_was_moved_away(self, path):
        path.parent.mkdir()
        with closing(sqlite3.connect(path)) as old:
            old.execute("PRAGMA journal_mode=WAL")
            old.execute("CREATE TABLE ghosts (id)")
            journal = Path(f"{path}-wal").read_bytes()
        path.unlink()
        Path(f"{path}-wal").write_bytes(journal)
        prepare_sqlite(path, self.create)
        assert self.tables(path) == ["runs"]

    def test_removes_at_once_what_no_living_process_writes(self, path, ended):
        path.parent.mkdir()
        mine = temporary_beside(path)
        theirs = path.with_name(mine.name.replace(f"-{os.getpid()}-", f"-{ended}-"))
        others = path.with_name(theirs.name.replace("my [db].db", "other.db"))
        elsewhere = path.with_name(".my [db].db.01234567-1-2-3.tmp")
        companions = [Path(f"{theirs}{suffix}") for suffix in ("-wal", "-shm", "-journal")]
        for file in (mine, theirs, others, elsewhere, *companions):
            file.touch()
        prepare_sqlite(path, self.create)
        assert set(path.parent.iterdir()) == {path, mine, others, elsewhere}

    def test_removes_what_an_older_version_left_when_it_is_old(self, path):
        path.parent.mkdir()
        left = [
            path.with_name(f".my [db].db.{name}")
            for name in ("0123abcd.draft", "0123abcd.draft-wal", "89abcdef.draft")
        ]
        for file in left:
            file.touch()
        for file in left[:2]:
            os.utime(file, (0, 0))
        prepare_sqlite(path, self.create)
        assert set(path.parent.iterdir()) == {path, left[2]}


class TestAloneWhileMade:
    @pytest.fixture
    def path(self, tmp_path):
        return tmp_path / "new" / "mlflow.db"

    def test_the_lock_lies_beside_the_database_and_is_gone_afterwards(self, path):
        with alone_while_made(path):
            assert [file.name for file in path.parent.iterdir()] == [".mlflow.db.lock"]
            with pytest.raises(Timeout), FileLock(path.with_name(".mlflow.db.lock"), timeout=0):
                pytest.fail("two programs are alone")
        assert list(path.parent.iterdir()) == []

    def test_who_waits_goes_on_when_the_first_is_done(self, path):
        order: list[str] = []

        def second() -> None:
            with alone_while_made(path):
                order.append("second")

        thread = threading.Thread(target=second)
        with alone_while_made(path):
            thread.start()
            time.sleep(0.2)
            order.append("first")
        thread.join(10)
        assert order == ["first", "second"]
        assert list(path.parent.iterdir()) == []

    def test_a_database_that_is_there_needs_no_lock(self, path):
        path.parent.mkdir()
        path.write_bytes(b"pages")
        with alone_while_made(path):
            assert list(path.parent.iterdir()) == [path]

    def test_the_lock_that_a_killed_process_left_is_removed_at_once(self, path):
        path.parent.mkdir()
        path.write_bytes(b"pages")
        lock = path.with_name(".mlflow.db.lock")
        with FileLock(lock), alone_while_made(path):
            assert lock.exists()
        lock.touch()
        with alone_while_made(path):
            assert list(path.parent.iterdir()) == [path]

    def test_without_locks_one_that_was_left_goes_when_it_is_old(self, path, monkeypatch):
        def refuse(*_: object, **__: object) -> None:
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

        path.parent.mkdir()
        path.write_bytes(b"pages")
        lock = path.with_name(".mlflow.db.lock")
        lock.touch()
        monkeypatch.setattr(FileLock, "acquire", refuse)
        with alone_while_made(path):
            assert lock.exists()
        os.utime(lock, (0, 0))
        with alone_while_made(path):
            assert not lock.exists()

    def test_a_file_system_without_locks_does_without(self, path, monkeypatch):
        def refuse(*_: object, **__: object) -> None:
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

        monkeypatch.setattr(FileLock, "acquire", refuse)
        with alone_while_made(path):
            path.touch()
        assert path.exists()

    def test_a_folder_that_cannot_be_written_is_no_such_file_system(self, path, monkeypatch):
        def refuse(*_: object, **__: object) -> None:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

        monkeypatch.setattr(FileLock, "acquire", refuse)
        with pytest.raises(PermissionError), alone_while_made(path):
            pytest.fail("it was written nevertheless")


def test_python_cannot_even_read_what_sqlite_says_of_some_files(tmp_path):
    # Else the next test would be of another fault.
    spoil(tmp_path / "mlflow.db")
    database = sqlite3.connect(tmp_path / "mlflow.db")
    with closing(database), pytest.raises(UnicodeDecodeError):
        database.execute("SELECT count(*) FROM sqlite_master")


@pytest.mark.parametrize("breaks", [spoil, Path.mkdir, lambda path: path.write_bytes(b"x" * 999)])
def test_settling_what_is_no_database_raises_nothing(tmp_path, breaks):
    path = tmp_path / "mlflow.db"
    breaks(path)
    settle_sqlite(path)
