"""Whether MLflow is where it is looked for: a server that answers, or a file that it can open."""

from __future__ import annotations

import ast
import contextlib
import importlib.metadata
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lttune.config.passwords import masked, masked_uri
from lttune.errors import ConfigError, ResourceError, StorageError
from lttune.exchange.health.inspection import Inspection
from lttune.store.disk import existing
from lttune.store.files import reason_of
from lttune.store.regular import regular_size
from lttune.study.tracking.database import COMPANIONS, DAMAGED, lack_of_locks, sqlite_code
from lttune.study.tracking.login import GIVEN_BY, refused_login
from lttune.study.tracking.server import PROBE_S, unanswered
from lttune.study.tracking.uri import resolve, sqlite_path, sqlite_uri

OTHER_PLACE = "give another --tracking-uri"
LONGEST_VALUE = 32 << 20
"""Bytes of a value of a database: MLflow's longest column holds half of them."""
LONGEST_LOOK_S = 120.0
"""Seconds for which a database is looked through; one of MLflow's is read at some hundred MB a
second."""


def tracking_finding(given: str | None, sheet: Mapping[str, Any] | None = None) -> Inspection:
    """Returns what there is to say of where MLflow is; nothing is changed there.

    Whether a disk has locks is tried by a file that is removed, but where only a sheet names it.

    Args:
        given: a tracking URI. None is the study's own, else the environment's, else MLflow's.
        sheet: what ``study.json`` of a study holds; None if no study is looked at.
    """
    own = (sheet or {}).get("config", {}).get("tracking_uri")
    is_asked = given is not None or not isinstance(own, str)
    if given is None and isinstance(own, str):
        if sqlite_path(own) is None:
            # The sheet may be a stranger's, who would see who asks.
            return Inspection(
                what=f"MLflow: {masked_uri(own)}",
                trouble="it is not asked, because only the study's files name it",
                mend=f"give --tracking-uri {masked_uri(own)}",
            )
        given = own
    try:
        uri = resolve(given)
    except ConfigError as error:
        text, mend = str(error), "write it as the rule says, or leave it out"
        return Inspection(what="MLflow", trouble=text, mend=mend, exit_code=error.exit_code)
    what, path = f"MLflow: {masked_uri(uri)}", sqlite_path(uri)
    if path is not None:
        found = _database(what, path)
        lack = lack_of_locks(path) if is_asked and not found.trouble else ""
        if not lack:
            return found
        reason, _, mend = lack.partition(": ")
        return Inspection(what=what, trouble=reason, mend=mend, exit_code=StorageError.exit_code)
    if reason := masked(unanswered(uri), uri):
        return Inspection(
            what=what,
            trouble=reason,
            mend=f"start it, or {OTHER_PLACE}; `lttune sync` later sends what it lacks",
            exit_code=ResourceError.exit_code,
        )
    if reason := masked(refused_login(uri), uri):
        code, mend = ResourceError.exit_code, f"write the login into {GIVEN_BY}"
        return Inspection(what=what, trouble=reason, mend=mend, exit_code=code)
    return Inspection(what=what)


def _database(what: str, path: Path) -> Inspection:
    code = StorageError.exit_code
    if not os.path.lexists(path):
        place = existing(path.parent)
        if os.access(place, os.W_OK):
            return Inspection(what=f"{what}: not there yet, the next study makes it")
        trouble = f"it is not there, and {place} cannot be written to"
        return Inspection(what=what, trouble=trouble, mend=OTHER_PLACE, exit_code=code)
    away = f"move it away, so that `lttune sync STUDY` fills a new one, or {OTHER_PLACE}"
    try:
        regular_size(path)
        tables, versions = _content(path)
    except (OSError, sqlite3.Error, ValueError) as error:
        # A damaged schema is quoted in its error, which Python cannot read then.
        if isinstance(error, ValueError) or sqlite_code(error) in DAMAGED:
            trouble, mend = f"it is damaged: {reason_of(error)}", away
        elif sqlite_code(error) == sqlite3.SQLITE_INTERRUPT:
            trouble = f"it was not looked through in {LONGEST_LOOK_S:.0f} s"
            mend = f"look at it with `sqlite3 FILE 'PRAGMA quick_check'`, or {OTHER_PLACE}"
        else:
            trouble = f"it cannot be read: {reason_of(error)}"
            mend = f"see that it can be read and written, or {OTHER_PLACE}"
        return Inspection(what=what, trouble=trouble, mend=mend, exit_code=code)
    if tables and not versions:
        trouble = "it is a half-made database, or none of MLflow's"
        return Inspection(what=what, trouble=trouble, mend=away, exit_code=code)
    if tables and (found := _of_other_version(path, versions)):
        trouble, mend = found
        return Inspection(what=what, trouble=trouble, mend=mend, exit_code=ResourceError.exit_code)
    closed = [str(one) for one in (path, path.parent) if not os.access(one, os.W_OK)]
    if closed:
        trouble, mend = f"{closed[0]} cannot be written to", f"chmod u+w it, or {OTHER_PLACE}"
        return Inspection(what=what, trouble=trouble, mend=mend, exit_code=code)
    return Inspection(what=what)


def _content(path: Path) -> tuple[set[str], set[str]]:
    """Returns the names of a database's tables, and the versions that its schema is of.

    Raises:
        sqlite3.Error: if it is damaged, or cannot be read.
        ValueError: if it is damaged.
    """
    ends = [end for end in COMPANIONS if os.path.lexists(f"{path}{end}")]
    unfinished = [end for end in ends if end != "-shm" and regular_size(Path(f"{path}{end}"))]
    with contextlib.ExitStack() as stack:
        # Without a journal the file is all, and SQLite need not make any beside it.
        alone = "" if unfinished else "&immutable=1"
        if "-wal" in unfinished and "-shm" not in ends:
            # Nobody has it open: beside it SQLite would write what its journal comes down to.
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            for end in ("", *unfinished):
                shutil.copyfile(f"{path}{end}", folder / f"copy.db{end}")
            path = folder / "copy.db"
        uri = f"{path.as_uri()}?mode=ro{alone}"
        connection = sqlite3.connect(uri, uri=True, timeout=PROBE_S)
        database = stack.enter_context(contextlib.closing(connection))
        _distrust(database)
        (sound,) = database.execute("PRAGMA quick_check(1)").fetchone()
        if sound != "ok":
            raise ValueError(sound)
        named = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        tables = {str(name) for (name,) in named}
        if "alembic_version" not in tables:
            return tables, set()
        # A version has twelve characters, and there is one.
        listed = database.execute(
            "SELECT substr(CAST(version_num AS TEXT), 1, 40) FROM alembic_version LIMIT 8"
        ).fetchall()
        return tables, {str(version) for (version,) in listed}


def _distrust(database: sqlite3.Connection) -> None:
    """Has a database that may be a stranger's compute little: a schema can hold expressions."""
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_VALUE)
    database.execute("PRAGMA trusted_schema = OFF")
    database.execute("PRAGMA ignore_check_constraints = ON")
    end = time.monotonic() + LONGEST_LOOK_S
    database.set_progress_handler(lambda: time.monotonic() > end, 100_000)


def _of_other_version(path: Path, versions: set[str]) -> tuple[str, str] | None:
    """Returns what is wrong with the version of a schema and the mend; None if nothing is."""
    known, before = _migrations()
    # Of an MLflow that keeps its scripts elsewhere nothing is known.
    if not known or versions == known - before:
        return None
    mlflow = importlib.metadata.version("mlflow")
    if versions <= known:
        return (
            f"its schema is of an MLflow before {mlflow}, which is installed",
            f"make a copy of it, then `mlflow db upgrade {sqlite_uri(path)}`",
        )
    return (
        f"its schema is of another MLflow than {mlflow}, which is installed, likely of a later one",
        f"install the MLflow that wrote it, or {OTHER_PLACE}",
    )


def _migrations() -> tuple[set[str], set[str]]:
    """Returns the versions of a schema that the installed MLflow knows, and those before others.

    They are read in Alembic's scripts: to import MLflow would take seconds.
    """
    spec = find_spec("mlflow")
    assert spec is not None
    assert spec.origin is not None
    known, before = set[str](), set[str]()
    for script in (Path(spec.origin).parent / "store" / "db_migrations" / "versions").glob("*.py"):
        for node in ast.parse(script.read_bytes()).body:
            match node:
                case ast.Assign(targets=[ast.Name(id="revision")], value=value):
                    known.add(ast.literal_eval(value))
                case ast.Assign(targets=[ast.Name(id="down_revision")], value=value):
                    found = ast.literal_eval(value)
                    before |= {found} if isinstance(found, str) else set(found or ())
    return known, before
