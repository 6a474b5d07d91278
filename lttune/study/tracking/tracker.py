"""MLflow from the driver: a study is mirrored there by a thread that never stops or slows it.

An experiment holds one run for the study and below it one for each trial, whose metrics have the
level as their step. What is missing in MLflow when a driver ends, because the server is away or
the driver is killed, is in the study's files: they are what waits on the disk, and ``lttune sync``,
or the study when it is run again, fills in from them.
"""

from __future__ import annotations

import importlib
import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from lttune.config.passwords import masked, masked_uri
from lttune.study.tracking import values
from lttune.study.tracking.database import settle_sqlite
from lttune.study.tracking.examples import TrainingExamples
from lttune.study.tracking.login import unwelcome
from lttune.study.tracking.server import require_answer, unanswered
from lttune.study.tracking.uri import resolve, sqlite_path
from lttune.study.tracking.views import View
from lttune.study.tracking.waiting import MOST_WAITING, Waiting

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

_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 60.0
_LAST_TRIES, _LAST_PROBE_S = 2, 1.0
_GLANCE_S, _URGENT_S = 0.2, 10.0
_PATIENCE = 4
"""Times its time-out that ``close`` waits at most, while entries arrive."""

_NO_TIME = "there was no time"
_FULL = f"more than {MOST_WAITING} waited for it"


class Tracker:
    """Mirrors a study into MLflow: the study is an experiment and its first run, a trial a child.

    Every method but ``ask`` and ``close`` returns at once, and none raises: it notes an entry that
    a daemon thread sends in order, again and again while the server is away. Metrics that are not
    finite are left out, and what MLflow cannot store is counted in the sentence of ``close``.
    """

    def __init__(self, uri: str | None, study: str, study_id: str | None = None) -> None:
        self._uri = resolve(uri)
        self._study, self._study_id = study, study_id
        self._module: Any = None
        self._mirror: Any = None
        self._experiment = ""
        self._waiting = Waiting()
        self._refused_keys: set[str] = set()
        self._refusals: list[str] = []
        self._gap = _NO_TIME
        self._said: str | None = None
        self._timeout_s = self._last_moment = math.inf  # Finite once close() is called.
        self._moved = time.monotonic()
        # MLflow reads them where it is imported. Not set by the thread: a process that starts
        # meanwhile could not be given its environment.
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        self._thread = threading.Thread(target=self._work, name="lttune-mlflow", daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """The tracking URI for people, without secrets; with the experiment once it is known."""
        address = masked_uri(self._uri)
        if not self._experiment:
            return address
        if address.startswith("http"):
            return f"{address.rstrip('/')}/#/experiments/{self._experiment}/runs"
        return f"{address} (experiment {self._experiment})"

    def ask(self) -> str:
        """Returns, within three seconds, why the server cannot be used; empty if it can."""
        return masked(unwelcome(self._uri), self._uri)

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
        self._waiting.note("trial", values.now(), number, name, *texts, is_running)

    def level(self, number: int, level: int, metrics: Mapping[str, float]) -> None:
        """Sends a level's metrics, among them ``density``, by which a sent level is recognised."""
        self._waiting.note("level", values.now(), number, level, self._metrics(metrics))

    def end_trial(self, number: int, status: RunStatus, summary: Mapping[str, float]) -> None:
        """Closes a trial's run; the summary's names are not those of its levels' metrics."""
        self._waiting.note("end", values.now(), number, status, self._metrics(summary))

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
            self._wait(timeout_s, is_urgent)
            self._said = self._missing()
        return self._said

    def _wait(self, timeout_s: float, is_urgent: Callable[[], bool] | None) -> None:
        with self._waiting.changed:
            self._moved = began = time.monotonic()
            self._timeout_s, self._last_moment = timeout_s, began + _PATIENCE * timeout_s
            has_more = not self._waiting.is_empty
            self._waiting.changed.notify_all()
        if has_more and (reason := unanswered(self._uri, _LAST_PROBE_S)) and self._moved == began:
            self._gap = masked(reason, self._uri)
            self._last_moment = -math.inf
        while self._thread.is_alive() and (left_s := self._left_s()) > 0:
            self._thread.join(min(left_s, _GLANCE_S))
            if is_urgent and is_urgent():
                is_urgent = None
                self._last_moment = min(self._last_moment, time.monotonic() + _URGENT_S)
        path = sqlite_path(self._uri)
        if path and not self._thread.is_alive():
            settle_sqlite(path)

    def _missing(self) -> str:
        waiting = self._waiting
        with waiting.changed:
            missing, noted, gap = waiting.missing, waiting.noted, self._gap
            if waiting.is_empty:
                gap = self._reason(waiting.unreadable) if waiting.unreadable else _FULL
        parts = []
        if missing:
            text = f"{missing} of {noted} entries are missing in MLflow at {self.address}"
            parts.append(f"{text}: {gap}")
        if self._refusals:
            parts.append(f"MLflow refused {len(self._refusals)} entries: {self._refusals[0]}")
        if self._refused_keys:
            names = ", ".join(sorted(self._refused_keys))
            parts.append(f"MLflow cannot store values under these names: {names}")
        return "; ".join(parts) + "." if parts else ""

    def _left_s(self) -> float:
        """Returns the seconds for which there is still hope: infinitely many before close()."""
        return min(self._moved + self._timeout_s, self._last_moment) - time.monotonic()

    def _is_closing(self) -> bool:
        return math.isfinite(self._timeout_s)

    def _work(self) -> None:
        wait_s, last_tries = _FIRST_WAIT_S, _LAST_TRIES
        while last_tries and (entry := self._waiting.first(self._is_closing)):
            if self._left_s() < 0:
                return
            is_closing = self._is_closing()
            if self._send(*entry):
                self._waiting.done()
                self._moved, self._gap = time.monotonic(), _NO_TIME
                wait_s, last_tries = _FIRST_WAIT_S, _LAST_TRIES
            elif is_closing:
                last_tries -= 1
                time.sleep(_FIRST_WAIT_S if last_tries else 0)
            else:
                with self._waiting.changed:
                    self._waiting.changed.wait_for(self._is_closing, wait_s)
                wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    def _send(self, kind: str, of_kind: tuple[Any, ...]) -> bool:
        """Returns whether the entry is dealt with; nothing that MLflow does may end the thread."""
        try:
            self._connect()
            getattr(self._mirror, kind)(*of_kind)
        except Exception as error:
            return self._is_refusal(error)
        return True

    def _connect(self) -> None:
        if self._mirror is not None:
            return
        require_answer(self._uri)
        if self._module is None:
            # Imported here because MLflow takes seconds.
            self._module = importlib.import_module("lttune.study.tracking.mirror")
            self._moved = time.monotonic()
        self._mirror = self._module.Mirror(self._uri, self._study, self._study_id)
        self._experiment = self._mirror.experiment
        self._moved = time.monotonic()

    def _is_refusal(self, error: Exception) -> bool:
        """Notes why an entry is not sent; returns whether it never will be."""
        # What the store holds is found afresh: a call may fail here and succeed there.
        was_open, self._mirror = self._mirror is not None, None
        reason = self._reason(error)
        is_broken = self._module is not None and self._module.is_broken(error)
        if is_broken:
            reason = (
                f"MLflow cannot open {sqlite_path(self._uri)}, which is half-made, "
                f"damaged or of another version ({reason}); move that file away"
            )
        self._gap = reason
        if self._module is None or not was_open or is_broken:
            return False
        is_refusal = self._module.is_refusal(error)
        if is_refusal:
            self._refusals.append(reason)
        return is_refusal

    def _reason(self, error: Exception) -> str:
        known = self._module.forbidden(error) if self._module else ""
        reason = known or str(error).strip() or type(error).__name__
        return masked(reason.splitlines()[0], self._uri)[:300]

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
