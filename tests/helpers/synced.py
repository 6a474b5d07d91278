"""What ``lttune sync`` may change, and what it must not."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path


def counted(uri: str) -> dict[str, int]:
    """Returns how many rows the tables of runs, points and values have."""
    tables = ("experiments", "runs", "metrics", "params", "tags", "inputs")
    with closing(sqlite3.connect(uri.removeprefix("sqlite:///"))) as database:
        return {
            name: database.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables
        }


def state(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Returns when each file of a folder was changed, and its bytes."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }
