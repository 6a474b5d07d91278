"""What it costs to go on with a study of which MLflow has many runs: how soon, how long, how large.

    python -m benchmarks.mlflow_again 1000 [--open]

A trial's run of 16 levels is copied, row by row, in a database that MLflow made. Then the study is
opened there, and each of its trials in turn, as where it is run again (with ``--open`` none is);
prints a line of JSON.
"""

from __future__ import annotations

import argparse
import json
import resource
import sqlite3
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from lttune.study.tracking.mirror import Mirror
from lttune.study.tracking.waiting import Entry

_STUDY = "again"
_PARAMS, _METRICS, _LEVELS = 55, 11, 16
"""As of a trial of the smallest network."""


def _opened(number: int) -> Entry:
    params = {f"part.field_{n}": str(n) for n in range(_PARAMS)}
    tags = {f"lttune.tag_{n}": "value" for n in range(6)}
    values = (1_000 + number, number, f"trial-{number:03d}", params, tags, False)
    return Entry("trial", values, number)


def _first(mirror: Mirror) -> None:
    """Sends a study of one trial."""
    mirror.send([Entry("study", (1_000, "", {}, {}, (), True), None)])
    metrics = {f"metric_{n}": 0.5 for n in range(_METRICS)} | {"density": 0.8}
    levels = [Entry("level", (2_000, 0, level, metrics), 0) for level in range(_LEVELS)]
    mirror.send([_opened(0), *levels, Entry("end", (3_000, 0, "FINISHED", {}), 0)])


def _copy(database: Path, trials: int) -> None:
    """Gives a database the runs of as many trials, copies of its first."""
    with closing(sqlite3.connect(database)) as store:
        ((first,),) = store.execute("SELECT run_uuid FROM tags WHERE key = 'lttune.trial'")
        for number in range(1, trials):
            run = uuid.uuid4().hex
            for table in ("runs", "params", "tags", "metrics", "latest_metrics"):
                names = [row[1] for row in store.execute(f"PRAGMA table_info({table})")]
                shown = {"run_uuid": f"'{run}'"}
                if table == "runs":
                    shown["start_time"] = str(1_000 + number)
                if table == "tags":
                    shown["value"] = f"CASE key WHEN 'lttune.trial' THEN '{number}' ELSE value END"
                store.execute(_copied(table, names, shown), (first,))
        store.commit()


def _copied(table: str, names: list[str], shown: Mapping[str, str]) -> str:
    columns, values = ", ".join(names), ", ".join(shown.get(name, name) for name in names)
    return f"INSERT INTO {table} ({columns}) SELECT {values} FROM {table} WHERE run_uuid = ?"


def measure(trials: int, is_only_opened: bool = False) -> dict[str, Any]:
    """Returns seconds of the processor and megabytes that it takes to go on with such a study."""
    with tempfile.TemporaryDirectory() as scratch:
        database = Path(scratch) / "mlflow.db"
        uri = f"sqlite:///{database}"
        _first(Mirror(uri, _STUDY, None, None))
        _copy(database, trials)
        began, before = time.process_time(), _peak_mb()
        mirror = Mirror(uri, _STUDY, None, None)
        mirror.send([Entry("study", (4_000, "", {}, {}, (), True), None)])
        opened = time.process_time() - began
        for number in () if is_only_opened else range(trials):
            end = Entry("end", (5_000, number, "FINISHED", {}), number)
            mirror.send([_opened(number), end])
        took = time.process_time() - began
        found = {"open_s": opened, "all_s": took, "memory_mb": _peak_mb() - before}
        return {"trials": trials, **{name: round(value, 2) for name, value in found.items()}}


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def main() -> int:
    """Prints what was measured as a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trials", type=int)
    parser.add_argument("--open", action="store_true", help="the trials are left")
    asked = parser.parse_args()
    print(json.dumps(measure(asked.trials, asked.open)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
