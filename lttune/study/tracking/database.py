"""MLflow's SQLite file: how it is made, whole or not at all, and when it is no whole database."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import Timeout

from lttune.store.disk import existing
from lttune.store.locks import NO_LOCKS, file_lock, wait_for
from lttune.store.temporary import (
    UNKNOWN_OWNER_S,
    remove_abandoned,
    temporary_beside,
    time_in,
)
from lttune.study.tracking.uri import sqlite_uri

DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
"""SQLite's codes for a file that is no whole database."""

COMPANIONS = ("-wal", "-shm", "-journal")
"""Ends of the names of what SQLite keeps beside a database while it is written."""
RUNS = "mlruns"
"""Folder beside a database with the files of its runs."""
_LOCK_S = 60.0
_UNLOCKABLE = ("SQLITE_IOERR_LOCK", "SQLITE_IOERR_RDLOCK", "SQLITE_IOERR_CHECKRESERVEDLOCK")
"""What SQLite says of a lock that cannot be had at all."""


def sqlite_code(error: BaseException | None) -> int | None:
    """Returns the primary code of the SQLite error behind an error, None if there is none."""
    while error is not None:
        if isinstance(error, sqlite3.Error):
            return getattr(error, "sqlite_errorcode", 0) & 0xFF
        error = error.__cause__
    return None


def lack_of_locks(path: Path) -> str:
    """Returns, for people, that a database cannot be where it is said to be; empty if it can.

    SQLite itself is asked, for locks of a draft that nobody else has and that is removed: of a disk
    that has none it would say, after minutes, that the database is locked. Where nothing can be
    made nothing is known.
    """
    folder = existing(path.parent)
    draft = temporary_beside(folder / path.name)
    try:
        with contextlib.closing(sqlite3.connect(draft, timeout=0)) as database:
            database.execute("BEGIN EXCLUSIVE")
    except Exception as error:  # Of whatever else is wrong MLflow's own calls say more.
        name = getattr(error, "sqlite_errorname", "")
        if name.startswith("SQLITE_BUSY") or name in _UNLOCKABLE:
            return (
                f"the disk of {folder} has no locks, which SQLite needs: give --tracking-uri "
                "sqlite:///FILE on another disk, or a server; or --out there, if it is in that"
            )
    finally:
        with contextlib.suppress(OSError):
            for file in (draft, *_companions(draft)):
                file.unlink(missing_ok=True)
    return ""


@contextlib.contextmanager
def alone_while_made(path: Path) -> Iterator[None]:
    """Keeps other studies out while a database is made; one that is there needs no lock.

    The lock lies beside the database, so that who may write the one may take the other, and is
    removed afterwards. A file system without locks does without: what two programs make at a time
    is still one whole database, unless they fill an empty file that was there.

    Raises:
        TimeoutError: if another study takes longer than a minute.
    """
    if path.exists() and path.stat().st_size > 0:
        _remove_free_lock(_lock_of(path))
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = file_lock(_lock_of(path))
    try:
        wait_for(lock, _LOCK_S, f"{path} is being made by")
    except Timeout:
        raise TimeoutError(f"another program has been making {path} for {_LOCK_S:g} s") from None
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
    try:
        yield
    finally:
        if lock.is_locked:
            # While it is held: who waits for it finds it gone, and takes a new one.
            _lock_of(path).unlink(missing_ok=True)
            lock.release()


def prepare_sqlite(path: Path, create_tables: Callable[[str], None]) -> None:
    """Creates the database if it is missing: whole or, if this process is killed, not at all.

    MLflow's migrations can be neither undone nor continued, so ``create_tables`` gets the URI of
    a hidden draft beside the file; it must leave no connection open. What other programs put in
    the file's place meanwhile stays there. A caller holds a lock against its own kind.

    Raises:
        sqlite3.Error: What exists is no database, or cannot be read.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned(path.parent, path.name)
    if os.path.lexists(path):
        _let_readers_in(path)
        return
    draft = temporary_beside(path)
    try:
        _let_readers_in(draft)
        create_tables(sqlite_uri(draft))
        with contextlib.closing(sqlite3.connect(draft)) as database:
            (is_busy, *_) = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if is_busy:
            raise BlockingIOError(f"{draft} is in use")
        _publish(draft, path)
    finally:
        for file in (draft, *_companions(draft)):
            file.unlink(missing_ok=True)


def settle_sqlite(path: Path) -> None:
    """Moves what the journal holds into the database file, so that the file alone is all.

    Whatever is wrong with the file is left to who reads it next.
    """
    # A damaged file raises more than SQLite's own errors: its messages quote the file's bytes.
    with contextlib.suppress(Exception):
        if not path.exists():
            return
        with contextlib.closing(sqlite3.connect(path, timeout=1)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _lock_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.lock")


def _remove_free_lock(place: Path) -> None:
    """Removes the lock that a killed process left; what somebody holds stays.

    Where there are no locks nobody can tell, and it goes when it is old.
    """
    lock = file_lock(place)
    with contextlib.suppress(OSError):
        if not place.exists():
            return
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return
        except OSError as error:
            is_old = time_in(place.parent) - place.stat().st_mtime > UNKNOWN_OWNER_S
            if error.errno not in NO_LOCKS or not is_old:
                return
        place.unlink()
    lock.release()


def _companions(path: Path) -> list[Path]:
    return [Path(f"{path}{suffix}") for suffix in COMPANIONS]


def _let_readers_in(path: Path) -> None:
    """Sets the journal mode in which ``mlflow ui`` reads while the study writes, in half the time.

    A file that another program holds just now, or a file system without shared memory, keeps its
    journal: slower, but right.
    """
    with contextlib.closing(sqlite3.connect(path)) as database:
        with contextlib.suppress(sqlite3.Error):
            database.execute("PRAGMA journal_mode=WAL")
        try:
            # MLflow would try for minutes to read what cannot be read.
            database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.Error as error:
            if sqlite_code(error) not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise


def _publish(draft: Path, path: Path) -> None:
    """Gives the draft its final name unless that is taken."""
    if os.path.lexists(path):
        return
    # The journal of a database that was moved away would be replayed into the new one.
    for stale in _companions(path):
        stale.unlink(missing_ok=True)
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        return
    except OSError:  # A file system without hard links.
        if not os.path.lexists(path):
            draft.rename(path)
