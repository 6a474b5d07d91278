"""What MLflow's SQLite file holds of a study, read without MLflow, whose import takes seconds."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import urllib.parse
import urllib.request
from pathlib import Path

from lttune.config import digest

ROWS_COUNTED = ("metrics", "latest_metrics", "params", "tags")
"""Tables of which the rows of each run are counted."""
_OF_RUN = ("run_uuid", "name", "status", "end_time", "lifecycle_stage", "artifact_uri")


def held(path: Path, study: str) -> str:
    """Returns a SHA-256 of the runs of a study's experiment, and of the files of its own run.

    It is another once runs are deleted, opened or added, once rows or files of them are missing.
    Empty if it cannot be told, as of a file that is not there or of another version of MLflow.

    Args:
        path: of the database.
        study: name of the study, which is that of its experiment.
    """
    try:
        # Read only: neither made nor changed.
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
            return digest(_runs(database, study))
    # A damaged file raises more than SQLite's own errors: its messages quote the file's bytes.
    except (sqlite3.Error, OSError, ValueError, LookupError):
        return ""


def _runs(database: sqlite3.Connection, study: str) -> list[object]:
    """Returns what is told of the study's experiment and its runs.

    Raises:
        LookupError: if there is no experiment, or none of its runs is the study's own.
        ValueError: if its files are not on this machine.
    """
    asked = "SELECT experiment_id, lifecycle_stage, creation_time FROM experiments WHERE name = ?"
    experiment = database.execute(asked, (study,)).fetchone()
    if experiment is None:
        raise LookupError(study)
    runs = database.execute(
        f"SELECT {', '.join(_OF_RUN)} FROM runs WHERE experiment_id = ? ORDER BY run_uuid",
        experiment[:1],
    ).fetchall()
    counts = [
        database.execute(
            f"SELECT run_uuid, count(*) FROM {table} WHERE run_uuid IN "
            "(SELECT run_uuid FROM runs WHERE experiment_id = ?) GROUP BY run_uuid "
            "ORDER BY run_uuid",
            experiment[:1],
        ).fetchall()
        for table in ROWS_COUNTED
    ]
    own = database.execute(
        "SELECT artifact_uri FROM runs JOIN tags USING (run_uuid) WHERE experiment_id = ? "
        "AND key = 'lttune.kind' AND tags.value = 'study' ORDER BY run_uuid",
        experiment[:1],
    ).fetchall()
    if not own:
        raise LookupError(study)
    return [experiment, runs, counts, [_files(uri) for (uri,) in own]]


def _files(uri: str) -> dict[str, str]:
    """Returns the files below a URI by their SHA-256."""
    parts = urllib.parse.urlsplit(uri)
    if parts.scheme != "file":
        raise ValueError(f"{uri} is not on this machine")
    folder = Path(urllib.request.url2pathname(parts.path))
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
