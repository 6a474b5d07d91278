"""MLflow from the driver: a study is mirrored there by a thread that never stops or slows it.

An experiment holds one run for the study and below it one for each trial, whose metrics have the
level as their step. What is missing in MLflow when a driver ends, because the server is away or
the driver is killed, is in the study's files: they are what waits on the disk, and ``lttune sync``,
or the study when it is run again, fills in from them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from lttune.config.passwords import masked, masked_uri
from lttune.study.tracking import values
from lttune.study.tracking.database import lack_of_locks
from lttune.study.tracking.examples import TrainingExamples
from lttune.study.tracking.login import unwelcome
from lttune.study.tracking.sender import Sender
from lttune.study.tracking.uri import resolve, sqlite_path
from lttune.study.tracking.views import View
from lttune.study.tracking.waiting import Waiting

RunStatus = Literal["FINISHED", "FAILED", "KILLED"]

_ENVIRONMENT = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",  # The thread repeats calls itself, and silently.
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
"""How MLflow is kept quiet and quick, unless the user's environment says otherwise."""


class Tracker:
    """Mirrors a study into MLflow: the study is an experiment and its first run, a trial a child.

    Every method but ``ask`` and ``close`` returns at once, and none raises: it notes an entry that
    a daemon thread sends, those of one run in order, again and again while the server is away.
    Metrics that are not finite are left out, and what MLflow cannot store is counted in the
    sentence of ``close``.

    Args:
        uri: where MLflow is, as of ``resolve``.
        study: its name.
        study_id: what its ``study.json`` is known by.
        is_own_database: whether nobody chose the place of the database: it is in the study's
            folder, and the files of its runs go beside it or nowhere.
    """

    def __init__(
        self,
        uri: str | None,
        study: str,
        study_id: str | None = None,
        is_own_database: bool = False,
    ) -> None:
        self._uri = resolve(uri)
        self._waiting = Waiting()
        self._refused_keys: set[str] = set()
        self._said: str | None = None
        # MLflow reads them where it is imported. Not set by the thread: a process that starts
        # meanwhile could not be given its environment.
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        self._sender = Sender(self._uri, study, study_id, self._waiting, is_own_database)

    @property
    def address(self) -> str:
        """The tracking URI for people, without secrets; with the experiment once it is known."""
        address = masked_uri(self._uri)
        if not self._sender.experiment:
            return address
        if address.startswith("http"):
            return f"{address.rstrip('/')}/#/experiments/{self._sender.experiment}/runs"
        return f"{address} (experiment {self._sender.experiment})"

    def ask(self) -> str:
        """Returns, within three seconds, why MLflow cannot be used there; empty if it can.

        Its server does not answer or refuses the login, or its file's disk has no locks.
        """
        path = sqlite_path(self._uri)
        return lack_of_locks(path) if path else masked(unwelcome(self._uri), self._uri)

    def start(
        self,
        *,
        description: str,
        params: Mapping[str, Any],
        tags: Mapping[str, str],
        files: Sequence[Path],
        dataset: TrainingExamples | None,
        views: Sequence[View] = (),
        is_running: bool = True,
    ) -> None:
        """Opens the study's run, which is a continued one if the study was run before.

        ``mlflow.user`` and ``mlflow.source.*`` among the tags are given to every trial as well.
        Params are immutable in MLflow: those that a continued run has keep their values. The views
        are those that MLflow's page offers under "Views"; its description links to them. A run that
        is there becomes RUNNING only if the study is.
        """
        note = values.text(description, values.MAX_NOTE)
        texts = self._params(params), self._tags(tags)
        self._waiting.note("study", values.now(), note, *texts, views, is_running)
        if dataset is not None:
            self._waiting.note("dataset", dataset)
        for path in files:
            self._waiting.note("artifact", path)

    def trial(
        self,
        number: int,
        name: str,
        params: Mapping[str, Any],
        tags: Mapping[str, str],
        is_running: bool = True,
    ) -> None:
        """Opens a trial's run; one that is there becomes RUNNING only if the trial is."""
        texts = self._params(params), self._tags(tags)
        self._note(number, "trial", name, *texts, is_running)

    def level(self, number: int, level: int, metrics: Mapping[str, float]) -> None:
        """Sends a level's metrics, among them ``density``, by which a sent level is recognised."""
        self._note(number, "level", level, self._metrics(metrics))

    def end_trial(self, number: int, status: RunStatus, summary: Mapping[str, float]) -> None:
        """Closes a trial's run; the summary's names are not those of its levels' metrics."""
        self._note(number, "end", status, self._metrics(summary))

    def fill(self, steps: Iterator[None], trials: int) -> None:
        """Has earlier trials sent before what is noted after this call.

        Args:
            steps: each step notes the entries of one trial by the methods above, in the thread.
            trials: how many steps there are.
        """
        self._waiting.fill(steps, trials)

    def finish(
        self,
        status: RunStatus,
        files: Sequence[Path] = (),
        metrics: Mapping[str, float] | None = None,
    ) -> None:
        """Closes the study's run with its report; a trial that is still open becomes KILLED.

        A file from a folder ``figures`` is stored in a folder of that name.
        """
        for path in files:
            self._waiting.note("artifact", path)
        self._waiting.note("end", values.now(), None, status, self._metrics(metrics or {}))

    def close(self, timeout_s: float = 30, is_urgent: Callable[[], bool] | None = None) -> str:
        """Waits until all is sent and returns what is missing.

        A server that does not answer within a second is given up at once. One whose calls fail is
        tried twice more and then given up, at the latest when nothing has moved for ``timeout_s``.
        A slow one that takes entry after entry gets up to four times as long: the final status
        comes last. MLflow's import and opening count as movement. From when it ``is_urgent``, as
        after a signal, ten seconds are left.

        Returns:
            An empty string, else a sentence that says what is missing in MLflow and why.
        """
        if self._said is None:
            self._sender.wait(timeout_s, is_urgent)
            self._said = self._missing()
        return self._said

    def _note(self, number: int, kind: str, *of_kind: Any) -> None:
        self._waiting.note(kind, values.now(), number, *of_kind, trial=number)

    def _missing(self) -> str:
        waiting, refusals = self._waiting, self._sender.refusals
        with waiting.changed:
            missing, noted, gap = waiting.missing, waiting.noted, self._sender.gap()
        parts = []
        if missing:
            text = f"{missing} of {noted} entries are missing in MLflow at {self.address}"
            parts.append(f"{text}: {gap}")
        if refusals:
            parts.append(f"MLflow refused {len(refusals)} entries: {refusals[0]}")
        if self._refused_keys:
            names = ", ".join(sorted(self._refused_keys))
            parts.append(f"MLflow cannot store values under these names: {names}")
        return "; ".join(parts) + "." if parts else ""

    def _params(self, params: Mapping[str, Any]) -> dict[str, str]:
        return values.texts(self._named(params), values.MAX_PARAM)

    def _tags(self, tags: Mapping[str, str]) -> dict[str, str]:
        return values.texts(self._named(tags), values.MAX_TAG)

    def _metrics(self, metrics: Mapping[str, float]) -> dict[str, float]:
        return values.finite(self._named(metrics))

    def _named(self, named: Mapping[str, Any]) -> Mapping[str, Any]:
        """Remembers the names that MLflow does not take."""
        self._refused_keys.update(name for name in named if not values.is_key(name))
        return named
