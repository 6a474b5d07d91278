"""Where MLflow is, for programs and for people, and what is done there before it is used."""

from __future__ import annotations

import contextlib
import glob
import os
import re
import sqlite3
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path

PROBE_S = 4.0
"""Seconds within which an MLflow server must answer at all."""

DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
"""SQLite's codes for a file that is no whole database."""

_COMPANIONS = ("-wal", "-shm", "-journal")
_OLD_S = 3600.0


def resolve(uri: str | None) -> str:
    """Returns the tracking URI: ``uri``, else MLFLOW_TRACKING_URI, else MLflow's own default.

    A SQLite file is named by its absolute path, so that a later change of folder moves nothing.
    """
    uri = uri or os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"
    path = sqlite_path(uri)
    if path is None:
        return uri
    _, mark, options = uri.partition("?")
    return f"{_sqlite_uri(path)}{mark}{options}"


def sqlite_path(uri: str) -> Path | None:
    """Returns the absolute path of the database file, None if the URI is not of that kind."""
    match = re.fullmatch(r"sqlite:///(?!file:|:memory:)([^?]+)(\?.*)?", uri)
    return Path(urllib.parse.unquote(match[1])).absolute() if match else None


def sqlite_code(error: BaseException | None) -> int | None:
    """Returns the primary code of the SQLite error behind an error, None if there is none."""
    while error is not None:
        if isinstance(error, sqlite3.Error):
            return getattr(error, "sqlite_errorcode", 0) & 0xFF
        error = error.__cause__
    return None


def prepare_sqlite(path: Path, create_tables: Callable[[str], None]) -> None:
    """Creates the database if it is missing: whole or, if this process is killed, not at all.

    MLflow's migrations can be neither undone nor continued, so ``create_tables`` gets the URI of
    a hidden draft beside the file; it must leave no connection open. What other programs put in
    the file's place meanwhile stays there. A caller holds a lock against its own kind.

    Raises:
        sqlite3.DatabaseError: What exists is no database.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_old_drafts(path)
    if os.path.lexists(path):
        _let_readers_in(path)
        return
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.draft")
    try:
        _let_readers_in(draft)
        create_tables(_sqlite_uri(draft))
        with contextlib.closing(sqlite3.connect(draft)) as database:
            (is_busy, *_) = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if is_busy:
            raise BlockingIOError(f"{draft} is in use")
        _publish(draft, path)
    finally:
        for file in (draft, *_companions(draft)):
            file.unlink(missing_ok=True)


def settle_sqlite(path: Path) -> None:
    """Moves what the journal holds into the database file, so that the file alone is all."""
    if not path.exists():
        return
    with (
        contextlib.suppress(sqlite3.Error),
        contextlib.closing(sqlite3.connect(path, timeout=1)) as database,
    ):
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def require_answer(uri: str) -> None:
    """Raises ``ConnectionError`` unless something answers at the address within a few seconds.

    MLflow's own calls would wait for their whole time-out.
    """
    parts = urllib.parse.urlsplit(uri)
    address = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl().rstrip("/")
    try:
        urllib.request.urlopen(f"{address}/health", timeout=PROBE_S).close()
    except urllib.error.HTTPError:
        return  # Whoever refuses is there: a login, or a proxy that hides /health.
    except urllib.error.URLError as error:
        # A private certificate authority is MLflow's business (MLFLOW_TRACKING_SERVER_CERT_PATH).
        if not isinstance(error.reason, ssl.SSLError):
            raise ConnectionError(f"the server is away: {error.reason}") from error
    except TimeoutError as error:
        raise ConnectionError(f"the server gave no answer in {PROBE_S:g} s") from error


def _sqlite_uri(path: Path) -> str:
    return f"sqlite:///{urllib.parse.quote(str(path))}"


def _companions(path: Path) -> list[Path]:
    return [Path(f"{path}{suffix}") for suffix in _COMPANIONS]


def _let_readers_in(path: Path) -> None:
    """Sets the journal mode in which ``mlflow ui`` reads while the study writes, in half the time.

    A file that another program holds just now, or a file system without shared memory, keeps its
    journal: slower, but right.
    """
    try:
        with contextlib.closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA journal_mode=WAL")
            # MLflow would try for minutes to read a file that is none.
            database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        if sqlite_code(error) in DAMAGED:
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


def _remove_old_drafts(path: Path) -> None:
    """Removes what killed processes left; a young draft may be another machine's work."""
    for draft in path.parent.glob(f".{glob.escape(path.name)}.*.draft*"):
        with contextlib.suppress(OSError):
            if time.time() - draft.stat().st_mtime > _OLD_S:
                draft.unlink()
