"""Studies on digits that tests run: where each is, how it ended, what it left."""

from __future__ import annotations

import contextlib
import functools
import io
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import digits_study
from digits_study import STUDY
from mlflow import MlflowClient
from mlflow.entities import Run
from sealed_cells import sealed_cells

from lttune.records.schema import read
from lttune.records.tables import Row
from lttune.store.plain_json import read_json
from lttune.study.declared import Study
from lttune.study.main import main
from lttune.study.tracking.database import settle_sqlite
from lttune.study.tracking.store import open_store

TIMES = ("train_time_s", "eval_time_s", "trained", "host", "reused")
"""Columns that differ between two runs of the same study."""


@dataclass
class StudyPlace:
    """Where one study and its MLflow database are."""

    root: Path
    address: str | None = None
    """Of the Ray head that it joins; None starts one of its own."""
    exit_code: int = -1
    printed: str = ""
    running: list[int] = field(default_factory=list)
    """How many trials ran at the start of each, where that was noted."""
    elsewhere: str = ""
    """Tracking URI that is given to the study; empty is that of its own database."""

    @property
    def folder(self) -> Path:
        return self.root / "out" / "digits"

    @property
    def database(self) -> Path:
        # Of a cluster's study it is where all nodes see it.
        return self.root.joinpath(*(["out"] if self.address else []), "mlflow.db")

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.database}"

    @property
    def flags(self) -> list[str]:
        joined = ["--address", self.address] if self.address else []
        return [
            "--out",
            str(self.root / "out"),
            "--tracking-uri",
            self.elsewhere or self.uri,
            *joined,
        ]

    def ready(self) -> StudyPlace:
        """Gives it MLflow's tables, which take longer to make than a study to fill."""
        if not self.database.exists():
            self.database.parent.mkdir(parents=True, exist_ok=True)
            self.database.write_bytes(empty_database())
        return self

    def run(
        self,
        *flags: str,
        study: Study = STUDY,
        report: Callable[[Path], Path] = digits_study.report,
    ) -> StudyPlace:
        self.ready()
        text = io.StringIO()
        with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
            self.exit_code = main(study, report, "", [*self.flags, *flags])
        self.printed = text.getvalue()
        return self

    def copy(self, root: Path) -> StudyPlace:
        mlflows = shutil.ignore_patterns("mlflow.db*", "mlruns")
        shutil.copytree(self.root / "out", root / "out", ignore=mlflows)
        return StudyPlace(root, self.address)

    def rows(self) -> list[Row]:
        return read(self.folder / "records.parquet")

    def trials(self) -> list[Row]:
        return read_json(self.folder / "trials.json")["trials"]

    def states(self) -> list[str]:
        return [trial["state"] for trial in self.trials()]

    def cells(self) -> dict[str, int]:
        """Returns when each sealed cell was written, by its key."""
        found = sealed_cells(self.root / "out" / "cells")
        return {key: (cell / "seal.json").stat().st_mtime_ns for key, cell in found.items()}

    def client(self) -> MlflowClient:
        return MlflowClient(self.uri)

    def runs(self) -> dict[int | None, Run]:
        """Returns MLflow's runs by the number of their trial; None is the study's."""
        client = self.client()
        experiment = client.get_experiment_by_name("digits")
        found = client.search_runs([experiment.experiment_id])
        numbers = [run.data.tags.get("lttune.trial") for run in found]
        runs = {None if n is None else int(n): run for n, run in zip(numbers, found, strict=True)}
        assert len(runs) == len(found)
        return runs

    def statuses(self) -> dict[int | None, str]:
        return {number: run.info.status for number, run in self.runs().items()}

    def series(self, run: Run, metric: str) -> list[tuple[int, float]]:
        history = self.client().get_metric_history(run.info.run_id, metric)
        return sorted((point.step, point.value) for point in history)


class UntoldPlace(StudyPlace):
    """A study that is not told where MLflow is."""

    @property
    def flags(self) -> list[str]:
        return ["--out", str(self.root / "out")]


@functools.cache
def empty_database() -> bytes:
    """Returns MLflow's tables without a run.

    That a study makes them itself is what the tests of tracking see.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mlflow.db"
        open_store(f"sqlite:///{path}")
        settle_sqlite(path)
        return path.read_bytes()


def lasting(rows: list[Row]) -> list[Row]:
    """Returns rows without what differs between two runs of the same study."""
    return [{name: row[name] for name in sorted(row) if name not in TIMES} for row in rows]
