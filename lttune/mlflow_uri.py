"""Where MLflow is, for programs and for people, and what is done there before it is used."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import ssl
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

PROBE_S = 4.0
"""Seconds within which an MLflow server must answer at all."""


def resolve(uri: str | None) -> str:
    """Returns the tracking URI: ``uri``, else MLFLOW_TRACKING_URI, else MLflow's own default.

    A SQLite file is named by its absolute path, so that a later change of folder moves nothing.
    """
    uri = uri or os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"
    path = sqlite_path(uri)
    if path is None:
        return uri
    _, mark, options = uri.partition("?")
    return f"sqlite:///{urllib.parse.quote(str(path))}{mark}{options}"


def sqlite_path(uri: str) -> Path | None:
    """Returns the absolute path of the database file, None if the URI is not of that kind."""
    match = re.fullmatch(r"sqlite:///(?!file:|:memory:)([^?]+)(\?.*)?", uri)
    return Path(urllib.parse.unquote(match[1])).absolute() if match else None


def masked(text: str) -> str:
    """Returns a text with the password of every URI and ``password=`` in it shown as ***."""
    text = re.sub(r"(://[^\s:/@]*):\S*@", r"\1:***@", text)
    return re.sub(r"(?i)\b(password|token|secret)=[^\s&]+", r"\1=***", text)


def prepare_sqlite(path: Path) -> None:
    """Creates the database file, if it is missing, in the journal mode that lets readers in.

    A write then takes half the time, and ``mlflow ui`` reads while the study writes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # A file that another program holds just now, or a file system without shared memory, keeps
    # its journal: slower, but right.
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode=WAL")


def settle_sqlite(path: Path) -> None:
    """Moves what the journal holds into the database file, so that the file alone is all."""
    if not path.exists():
        return
    database = sqlite3.connect(path, timeout=1)
    with contextlib.suppress(sqlite3.Error), contextlib.closing(database):
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def probe(uri: str) -> None:
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
