"""One study in one MLflow store, by synchronous calls that may each be repeated.

Importing this module imports MLflow, which takes a second: only the tracker's thread does. What
MLflow holds already is found by tags and left alone, so a study that is run again continues its
runs. The tags are ``lttune.study``, ``lttune.study_id``, ``lttune.kind`` (study or trial) and, of a
trial, ``lttune.trial`` (its number): another study of the same name has runs of its own. Every time
is in ms since 1970, as MLflow has them.
"""

from __future__ import annotations

import getpass
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from mlflow.data.schema import TensorDatasetSchema
from mlflow.entities import Dataset as DatasetEntity
from mlflow.entities import DatasetInput, Experiment, InputTag, Metric, Param, RunTag
from mlflow.types import Schema, TensorSpec
from mlflow.utils.file_utils import local_file_uri_to_path

from lttune.study.tracking.database import RUNS
from lttune.study.tracking.examples import TrainingExamples
from lttune.study.tracking.runs import STUDY_ID, Run, RunChanges, Runs
from lttune.study.tracking.store import (
    forbidden,
    is_broken,
    is_of_itself,
    is_refusal,
    open_store,
)
from lttune.study.tracking.views import TAG, View
from lttune.study.tracking.waiting import Entry

__all__ = ["Mirror", "forbidden", "is_broken", "is_of_itself", "is_refusal"]

_PARENT = "mlflow.parentRunId"


class ElsewhereError(Exception):
    """A database that is a study's own would have files written to another place than its own."""


class Mirror:
    """The runs of a study: one of its own, and below it one for each trial.

    ``send`` raises if the store cannot be reached or refuses; ``is_refusal`` tells which. The
    mirror is then worth nothing more: a new one, given what the failed one knew, finds out what
    the store holds of the runs that the failed call was of.

    Attributes:
        experiment: MLflow's number of the study's experiment.
        runs: what the store is known to hold, and whether a refusal is to be believed.
    """

    def __init__(
        self,
        uri: str,
        study: str,
        study_id: str | None,
        runs: Runs | None,
        is_own_database: bool = False,
    ) -> None:
        self._study, self._study_id = study, study_id
        self._client, self._database = open_store(uri)
        self._is_own = is_own_database
        experiment = self._find_experiment()
        self._require_beside(experiment.artifact_location)
        self.experiment: str = experiment.experiment_id
        self.runs = runs or Runs(study, study_id)
        self.runs.refresh(self._client, experiment)
        self._changes: RunChanges | None = None

    def send(self, entries: Sequence[Entry]) -> None:
        """Sends entries by the methods below: one, or some of one trial in as few calls as can be.

        Each call has whole levels, in their order and each with its density last: whoever finds
        that knows that the level is there, wherever the sending ended.
        """
        with self.runs.changing(entries[0].trial):
            for entry in entries:
                getattr(self, entry.kind)(*entry.values)
            self._send_changes()
        self.runs.settle()

    def study(
        self,
        now: int,
        description: str,
        params: Mapping[str, str],
        tags: Mapping[str, str],
        views: Sequence[View],
        is_running: bool,
    ) -> None:
        """Opens the study's run; trials that a killed driver left RUNNING become KILLED."""
        links = ", ".join(view.link(self.experiment) for view in views)
        notes = {
            "mlflow.note.content": f"{description}\n\nViews: {links}" if links else description,
            "mlflow.experiment.primaryMetric.name": "test_accuracy",
            **{f"{TAG}{view.key}": view.tag(now) for view in views},
        }
        for key, value in notes.items():
            self._client.set_experiment_tag(self.experiment, key, value)
        tags = {"mlflow.user": _user(), "mlflow.source.type": "LOCAL", **tags}
        changes = self._open(None, now, self._study, params, {**tags, "lttune.kind": "study"})
        if is_running:
            changes.set_status("RUNNING", now)
        self._send_changes()
        self._end_trials(now)

    def trial(
        self,
        now: int,
        number: int,
        name: str,
        params: Mapping[str, str],
        tags: Mapping[str, str],
        is_running: bool,
    ) -> None:
        """Opens a trial's run. One that is FINISHED stays so until a new level arrives."""
        parent = self._run(None)
        source = {k: v for k, v in parent.tags.items() if re.match(r"mlflow\.(user|source)", k)}
        own = {_PARENT: parent.id, "lttune.kind": "trial", "lttune.trial": str(number)}
        changes = self._open(number, now, name, params, {**source, **tags, **own})
        if is_running and changes.run.status != "FINISHED":
            changes.set_status("RUNNING", now)

    def level(self, now: int, number: int, level: int, metrics: Mapping[str, float]) -> None:
        """Sends a level's metrics unless the run has a density at that level."""
        run = self._run(number)
        if run.levels is None:
            history = self._client.get_metric_history(run.id, "density")
            run.levels = {point.step for point in history}
        if level in run.levels:
            return
        changes = self._changes_of(run)
        changes.set_status("RUNNING", now)
        names = sorted(metrics, key=lambda name: name == "density")
        changes.points.append([Metric(name, metrics[name], now, level) for name in names])
        run.levels.add(level)

    def end(self, now: int, number: int | None, status: str, summary: Mapping[str, float]) -> None:
        """Sends the summary and the final status of a trial, or of the study if number is None."""
        run = self._run(number)
        changes, points = self._changes_of(run), []
        for key, value in summary.items():
            if run.metrics.get(key) != value:
                # A changed value is the next point of its series: a step is never used twice.
                known = key in run.metrics
                step = len(self._client.get_metric_history(run.id, key)) if known else 0
                points.append(Metric(key, value, now, step))
        if points:
            changes.points.append(points)
            run.metrics.update(summary)
        if number is None:
            self._send_changes()
            self._end_trials(now)
        self._changes_of(run).set_status(status, now)
        self._send_changes()
        if number is not None:
            self.runs.forget(number)

    def artifact(self, path: Path) -> None:
        """Copies a file to the study's run; one from a folder ``figures`` goes to such a folder."""
        if not path.is_file():
            raise FileNotFoundError(f"there is no file {path}")
        folder = "figures" if path.parent.name == "figures" else None
        run = self._run(None).id
        if self._is_own:
            self._require_beside(self._client.get_run(run).info.artifact_uri or "")
        self._client.log_artifact(run, str(path), folder)

    def dataset(self, dataset: TrainingExamples) -> None:
        """Names the training examples as an input of the study's run.

        MLflow's own ``from_numpy`` would need, hash and describe the pictures again. Its page has
        room for the first 12 digits of the digest.
        """
        number, *picture = dataset.shape
        x, y = np.dtype(np.uint8), np.dtype(np.int64)
        specs = [Schema([TensorSpec(x, (-1, *picture))]), Schema([TensorSpec(y, (-1,))])]
        shapes = {
            "features_shape": dataset.shape,
            "features_nbytes": math.prod(dataset.shape) * x.itemsize,
            "targets_shape": (number,),
        }
        remote = dataset.source.startswith(("http://", "https://"))
        entity = DatasetEntity(
            name=dataset.name,
            digest=dataset.digest[:12],
            source_type="http" if remote else "local",
            source=json.dumps({"url" if remote else "uri": dataset.source}),
            schema=json.dumps(TensorDatasetSchema(*specs).to_dict()),
            profile=json.dumps(shapes),
        )
        context = InputTag("mlflow.data.context", "training")
        self._client.log_inputs(self._run(None).id, [DatasetInput(entity, [context])])

    def _find_experiment(self) -> Experiment:
        found = self._client.get_experiment_by_name(self._study)
        if found is None:
            # Beside the database whatever folder the study is run from: MLflow would take the
            # latter. A server knows its own place.
            folder = re.sub(r"\W+", "-", self._study).strip("-") or "study"
            place = self._database and (self._database.parent / RUNS / folder).as_uri()
            made = self._client.create_experiment(self._study, place)
            return self._client.get_experiment(_required(made))
        if found.lifecycle_stage == "deleted":
            self._client.restore_experiment(found.experiment_id)
        _required(found.experiment_id)
        return found

    def _require_beside(self, place: str) -> None:
        """Raises ``ElsewhereError`` if files would not go beside a database that is a study's own.

        A stranger's could have files of whoever runs the study overwritten, and one that was
        copied those of its original.
        """
        if not self._is_own or self._database is None:
            return
        beside = self._database.parent.resolve() / RUNS
        is_file = place.startswith("file:")
        if not is_file or not Path(local_file_uri_to_path(place)).resolve().is_relative_to(beside):
            raise ElsewhereError(
                f"move {self._database} away: as of one that was copied, or that is a stranger's, "
                f"files of its runs would go to {place!r:.100}"
            )

    def _run(self, number: int | None) -> Run:
        run = self.runs.get(number)
        if run is None:
            raise LookupError(f"{self._study} has no run of trial {number}")
        return run

    def _open(
        self,
        number: int | None,
        now: int,
        name: str,
        params: Mapping[str, str],
        tags: Mapping[str, str],
    ) -> RunChanges:
        tags = {**tags, "lttune.study": self._study}
        if self._study_id is not None:
            tags[STUDY_ID] = self._study_id
        run = self.runs.get(number)
        if run is None:
            created = self._client.create_run(self.experiment, now, dict(tags), name)
            run = self.runs.add(created, number)
        elif run.name != name:
            self._client.update_run(run.id, name=name)
            run.name = name
        changes = self._changes_of(run)
        changes.tags += [RunTag(k, v) for k, v in tags.items() if run.tags.get(k) != v]
        changes.params += [Param(k, v) for k, v in params.items() if k not in run.params]
        run.tags.update(tags)
        run.params.update(params)
        return changes

    def _changes_of(self, run: Run) -> RunChanges:
        """Returns what is to be sent of a run; that of another one is sent before."""
        if self._changes is None or self._changes.run is not run:
            self._send_changes()
            self._changes = RunChanges(run, run.status)
        return self._changes

    def _send_changes(self) -> None:
        changes, self._changes = self._changes, None
        if changes is not None:
            changes.send(self._client)

    def _end_trials(self, now: int) -> None:
        for run in self.runs.running():
            with self.runs.changing(run.number):
                self._changes_of(run).set_status("KILLED", now)
                self._send_changes()


def _required(number: str) -> str:
    """Returns MLflow's number of something unless it is empty.

    Raises:
        ConnectionError: if it is: a proxy or another server answers everything with nothing.
    """
    if not number:
        raise ConnectionError("what answers there is no MLflow server")
    return number


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # A container whose user has no name.
        return "unknown"
