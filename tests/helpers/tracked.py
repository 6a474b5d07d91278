"""A tiny study as it is tracked, and what a reader finds of it in MLflow."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from lttune.study.tracking.examples import TrainingExamples
from lttune.study.tracking.tracker import RunStatus, Tracker

LEVELS = 3
LEVEL_KEYS = {"density", "test_accuracy"}
ENDS: dict[int, RunStatus] = {0: "FINISHED", 1: "FAILED", 2: "KILLED"}


def tiny_dataset() -> TrainingExamples:
    source = "https://example.org/tiny"
    return TrainingExamples(name="tiny", digest="0123456789abcdef", source=source, shape=(2, 4, 4))


def spoil(path: Path) -> None:
    """Makes a database whose schema is neither SQL nor text: not even SQLite's complaint is."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE webhooks (id)")
    pages = path.read_bytes().replace(b"CREATE TABLE", b"CREATE TABLX")
    path.write_bytes(pages.replace(b"webhooks", b"\xff\xfehooks\xfd"))


def start(tracker: Tracker, folder: Path, **params: object) -> None:
    script = folder / "tiny_study.py"
    script.write_text("pass\n")
    tracker.start(
        description="Which knob decides?",
        params={"trials": 3, **params},
        tags={"mlflow.source.name": "tiny_study.py", "mlflow.source.git.commit": "abc"},
        files=[script],
        dataset=tiny_dataset(),
    )


def run_trial(tracker: Tracker, number: int, levels: int = LEVELS) -> None:
    params = {"train.lr": 0.1 * (number + 1), "prune.fractions.out": 0.1, "note": "x" * 7000}
    tracker.trial(number, f"trial-{number:03}", params, {"lttune.phase": "search"})
    for level in range(levels):
        metrics = {"density": 0.8**level, "test_accuracy": 0.9 + level / 100}
        metrics |= {"val_loss": float("nan"), "end_loss": float("inf")}
        tracker.level(number, level, metrics)


def run_study(uri: str, study: str, folder: Path, finished: int) -> str:
    """Runs a whole study of three trials and returns what close() says."""
    figures = folder / "figures"
    figures.mkdir(exist_ok=True)
    (figures / "curve.svg").write_text("<svg/>")
    (folder / "report.html").write_text("<p>")
    tracker = Tracker(uri, study)
    start(tracker, folder)
    for number, status in ENDS.items():
        run_trial(tracker, number)
        tracker.end_trial(number, status, {"best_accuracy": 0.92})
    files = [folder / "report.html", figures / "curve.svg"]
    tracker.finish("FINISHED", files, {"trials_finished": finished})
    return tracker.close(60)


class TrackedRuns:
    """What a reader finds in a tracking database."""

    def __init__(self, uri: str) -> None:
        from mlflow import MlflowClient  # Only the slow tests import MLflow.

        self.client = MlflowClient(uri)

    def runs(self, study: str) -> dict:
        """Returns the runs of an experiment by name, and that no two share one."""
        experiment = self.client.get_experiment_by_name(study)
        assert experiment is not None
        runs = self.client.search_runs([experiment.experiment_id])
        by_name = {run.info.run_name: run for run in runs}
        assert len(by_name) == len(runs)
        return by_name

    def steps(self, run, key: str) -> list[int]:
        return [point.step for point in self.client.get_metric_history(run.info.run_id, key)]

    def artifacts(self, run, folder: str | None = None) -> set[str]:
        return {f.path for f in self.client.list_artifacts(run.info.run_id, folder)}
