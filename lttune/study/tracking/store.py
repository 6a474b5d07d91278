"""An MLflow store that is opened: a database that may have to be made, or a server.

Importing this module imports MLflow, which takes a second: only the tracker's thread does.
"""

from __future__ import annotations

import importlib
import sqlite3
from pathlib import Path

import requests
from google.protobuf.json_format import ParseError
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.store.tracking import DEFAULT_LOCAL_FILE_AND_ARTIFACT_PATH

from lttune.study.tracking.database import (
    DAMAGED,
    alone_while_made,
    lack_of_locks,
    prepare_sqlite,
    sqlite_code,
)
from lttune.study.tracking.login import GIVEN_BY
from lttune.study.tracking.uri import sqlite_path

_FORBIDDEN = {
    401: f"the server refuses the login, or was sent none (401): {GIVEN_BY}",
    403: "the server forbids it (403): a study of another user may have this name",
}


class BrokenDatabaseError(Exception):
    """An existing SQLite file that MLflow cannot open, today or another day."""


def is_broken(error: Exception) -> bool:
    """Returns whether the SQLite file is unusable for good: half-made, damaged or not MLflow's."""
    is_damaged = sqlite_code(error) in DAMAGED
    return is_damaged or isinstance(error, BrokenDatabaseError)


def is_refusal(error: Exception) -> bool:
    """Returns whether a failed call would only fail again: MLflow said no, or a file is missing."""
    status = _status(error)
    if status is not None:
        return 400 <= status < 500 and status not in (401, 403, 408, 429)
    # What cannot be read comes from something between here and MLflow, which may go away.
    is_passing = isinstance(error, OSError | ParseError)
    return isinstance(error, FileNotFoundError) or not is_passing


def is_of_itself(error: Exception) -> bool:
    """Returns whether a refusal is about what was sent alone, whatever the store holds of runs."""
    return isinstance(error, FileNotFoundError) or _status(error) == 413


def forbidden(error: Exception) -> str:
    """Returns, for people, that the server let this user not do it; empty if it is about more."""
    return _FORBIDDEN.get(_status(error) or 0, "")


def _status(error: Exception) -> int | None:
    """Returns the status that the server gave a call; None if there was no such answer."""
    if isinstance(error, MlflowException):
        return error.get_http_status_code()
    # A file that is sent to the server; those that are sent to a bucket fail by other libraries.
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return error.response.status_code
    return None


def open_store(uri: str) -> tuple[MlflowClient, Path | None]:
    """Returns a client of the store, and its SQLite file if it is one, made if there is none.

    Raises:
        BrokenDatabaseError: if there is a file that MLflow cannot open.
        OSError: if its disk has no locks.
        Exception: whatever else MLflow or its driver says; ``is_refusal`` tells whether to retry.
    """
    path = sqlite_path(uri)
    if path is None:
        return _client(uri, None), None
    if reason := lack_of_locks(path):
        raise OSError(reason)
    # Two programs that create the tables of one file at a time break it.
    with alone_while_made(path):
        try:
            prepare_sqlite(path, _create_tables)
        except UnicodeDecodeError as error:
            # SQLite quotes the bytes that it cannot read, and Python cannot read the quote.
            raise BrokenDatabaseError(f"its schema is no text: {error}") from error
        return _client(uri, path), path


def _create_tables(uri: str) -> None:
    """Lets MLflow make its whole schema in a database, and closes it."""
    # Imported here because it takes half a second, which a server's user need not wait.
    module = importlib.import_module("mlflow.store.tracking.sqlalchemy_store")
    module.SqlAlchemyStore(uri, DEFAULT_LOCAL_FILE_AND_ARTIFACT_PATH).engine.dispose()


def _client(uri: str, path: Path | None) -> MlflowClient:
    try:
        return MlflowClient(uri)
    except Exception as error:
        code = sqlite_code(error)
        if code is not None:
            # A table that exists already, for one; not a lock, a full disk or a missing right.
            is_lost = code in (sqlite3.SQLITE_ERROR, *DAMAGED)
        elif isinstance(error, MlflowException):
            is_lost = "out-of-date database schema" in str(error)
        else:
            # A migration that stumbles over the traces of an earlier one.
            is_lost = not isinstance(error, OSError | ImportError | MemoryError)
        if path and is_lost:
            raise BrokenDatabaseError(str(error).partition(" NOTE:")[0]) from error
        raise
