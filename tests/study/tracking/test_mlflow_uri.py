"""Addresses of tracking stores, and how a new database is made."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from lttune.config.passwords import masked
from lttune.study.tracking.uri import prepare_sqlite, resolve, sqlite_path


class TestPrepareSqlite:
    @pytest.fixture
    def path(self, tmp_path):
        return tmp_path / "new" / "my [db].db"

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

    def test_removes_old_drafts_only(self, path):
        path.parent.mkdir()
        names = ("my [db].db.1.draft", "my [db].db.1.draft-wal", "my [db].db.2.draft", "d.3.draft")
        drafts = [path.with_name(f".{name}") for name in names]
        for draft in drafts:
            draft.touch()
        for draft in (*drafts[:2], drafts[3]):
            os.utime(draft, (0, 0))
        prepare_sqlite(path, self.create)
        assert set(path.parent.iterdir()) == {path, *drafts[2:]}


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("sqlite:///runs/my%20runs.db?timeout=5", "sqlite:///{cwd}/runs/my%20runs.db?timeout=5"),
        ("sqlite:////data/mlflow.db", "sqlite:////data/mlflow.db"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("http://host:5000", "http://host:5000"),
        (None, "sqlite:///{cwd}/mlflow.db"),
    ],
)
def test_resolve(uri, expected, tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    assert resolve(uri) == expected.format(cwd=tmp_path)


def test_resolve_reads_the_environment(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://host:5000")
    assert resolve(None) == "http://host:5000"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql+psycopg2://me:p@ss:/w@host/db", "postgresql+psycopg2://me:***@host/db"),
        ("at https://me:x@host/a failed", "at https://me:***@host/a failed"),
        ("mysql://host/db?password=x&a=1", "mysql://host/db?password=***&a=1"),
        ("http://host:5000/a", "http://host:5000/a"),
    ],
)
def test_masked(text, expected):
    assert masked(text) == expected
