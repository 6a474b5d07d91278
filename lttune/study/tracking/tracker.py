"""MLflow from the driver: a study is mirrored there by a thread that never stops or slows it.

An experiment holds one run for the study and below it one for each trial, whose metrics have the
level as their step. What is missing in MLflow when a driver ends, because the server is away or
the driver is killed, is filled in when the study is run again.
"""

from __future__ import annotations

import importlib
import math
import numbers
import os
import posixpath
import re
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from lttune.config.passwords import masked
from lttune.data.dataset import Dataset
from lttune.study.tracking.uri import resolve, settle_sqlite, sqlite_path
from lttune.study.tracking.views import View

RunStatus = Literal["FINISHED", "FAILED", "KILLED"]

_ENVIRONMENT = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",  # The thread repeats calls itself, and silently.
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
"""How MLflow is kept quiet and quick, unless the user's environment says otherwise."""

_MAX_KEY, _MAX_PARAM, _MAX_TAG, _MAX_NOTE = 250, 6000, 8000, 20_000
"""Characters that MLflow stores."""

_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 60.0
_LAST_TRIES = 2
_PATIENCE = 4
"""Times its time-out that ``close`` waits at most, while entries arrive."""

_NO_TIME = "there was no time; run the study again to fill the gap"


class Tracker:
    """Mirrors a study into MLflow: the study is an experiment and its first run, a trial a child.

    Every method but ``close`` returns at once and raises nothing: it notes an entry that a daemon
    thread sends in order, again and again while the server is away. Metrics that are not finite
    are left out, and what MLflow cannot store is counted in the sentence of ``close``.
    """

    def __init__(self, uri: str | None, study: str) -> None:
        self._uri = resolve(uri)
        self._study = study
        self._module: Any = None
        self._mirror: Any = None
        self._experiment = ""
        self._entries: deque[tuple[str, tuple[Any, ...]]] = deque()
        self._noted = 0
        self._refused_keys: set[str] = set()
        self._refusals: list[str] = []
        self._gap = _NO_TIME
        self._timeout_s = self._last_moment = math.inf  # Finite once close() is called.
        self._moved = time.monotonic()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="lttune-mlflow", daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """The tracking URI for people, without a password; with the experiment once it is known."""
        address = masked(self._uri)
        if not self._experiment:
            return address
        if address.startswith("http"):
            return f"{address.rstrip('/')}/#/experiments/{self._experiment}/runs"
        return f"{address} (experiment {self._experiment})"

    def start(
        self,
        *,
        description: str,
        params: Mapping[str, Any],
        tags: Mapping[str, str],
        files: Sequence[Path],
        dataset: Dataset | None,
        views: Sequence[View] = (),
    ) -> None:
        """Opens the study's run, which is a continued one if the study was run before.

        ``mlflow.user`` and ``mlflow.source.*`` among the tags are given to every trial as well.
        Params are immutable in MLflow: those that a continued run has keep their values. The views
        are those that MLflow's page offers under "Views"; its description links to them.
        """
        note, texts = _text(description, _MAX_NOTE), self._texts(params, _MAX_PARAM)
        self._note("study", _now(), note, texts, self._texts(tags, _MAX_TAG), views)
        if dataset is not None:
            self._note("dataset", dataset)
        for path in files:
            self._note("artifact", path)

    def trial(
        self, number: int, name: str, params: Mapping[str, Any], tags: Mapping[str, str]
    ) -> None:
        """Opens a trial's run, which appears as RUNNING."""
        texts = self._texts(params, _MAX_PARAM)
        self._note("trial", _now(), number, name, texts, self._texts(tags, _MAX_TAG))

    def level(self, number: int, level: int, metrics: Mapping[str, float]) -> None:
        """Sends a level's metrics, among them ``density``, by which a sent level is recognised."""
        self._note("level", _now(), number, level, self._finite(metrics))

    def end_trial(self, number: int, status: RunStatus, summary: Mapping[str, float]) -> None:
        """Closes a trial's run; the summary's names are not those of its levels' metrics."""
        self._note("end", _now(), number, status, self._finite(summary))

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
            self._note("artifact", path)
        self._note("end", _now(), None, status, self._finite(metrics or {}))

    def close(self, timeout_s: float = 30) -> str:
        """Waits until all is sent and returns what is missing.

        A server that is away is tried twice more and then given up, at the latest when nothing
        has moved for ``timeout_s``. A slow one that takes entry after entry gets up to four times
        as long: the final status comes last. MLflow's import and opening count as movement.

        Returns:
            An empty string, else a sentence that says what is missing in MLflow and why.
        """
        with self._changed:
            self._timeout_s, self._moved = timeout_s, time.monotonic()
            self._last_moment = self._moved + _PATIENCE * timeout_s
            self._changed.notify_all()
        while self._thread.is_alive() and (left_s := self._left_s()) > 0:
            self._thread.join(left_s)
        path = sqlite_path(self._uri)
        if path and not self._thread.is_alive():
            settle_sqlite(path)
        with self._changed:
            missing, noted = len(self._entries), self._noted
        parts = []
        if missing:
            parts.append(
                f"{missing} of {noted} entries are missing in MLflow at {self.address}: {self._gap}"
            )
        if self._refusals:
            parts.append(f"MLflow refused {len(self._refusals)} entries: {self._refusals[0]}")
        if self._refused_keys:
            names = ", ".join(sorted(self._refused_keys))
            parts.append(f"MLflow cannot store values under these names: {names}")
        return "; ".join(parts) + "." if parts else ""

    def _note(self, kind: str, *values: Any) -> None:
        with self._changed:
            self._entries.append((kind, values))
            self._noted += 1
            self._changed.notify_all()

    def _left_s(self) -> float:
        """Returns the seconds for which there is still hope: infinitely many before close()."""
        return min(self._moved + self._timeout_s, self._last_moment) - time.monotonic()

    def _is_closing(self) -> bool:
        return math.isfinite(self._timeout_s)

    def _work(self) -> None:
        wait_s, last_tries = _FIRST_WAIT_S, _LAST_TRIES
        while last_tries:
            with self._changed:
                self._changed.wait_for(lambda: self._entries or self._is_closing())
                if not self._entries or self._left_s() < 0:
                    return
                entry, is_closing = self._entries[0], self._is_closing()
            if self._send(*entry):
                with self._changed:
                    self._entries.popleft()
                self._moved, self._gap = time.monotonic(), _NO_TIME
                wait_s, last_tries = _FIRST_WAIT_S, _LAST_TRIES
            elif is_closing:
                last_tries -= 1
                time.sleep(_FIRST_WAIT_S if last_tries else 0)
            else:
                with self._changed:
                    self._changed.wait_for(self._is_closing, wait_s)
                wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    def _send(self, kind: str, values: tuple[Any, ...]) -> bool:
        """Returns whether the entry is dealt with; nothing that MLflow does may end the thread."""
        try:
            self._connect()
            getattr(self._mirror, kind)(*values)
        except Exception as error:
            return self._is_refusal(error)
        return True

    def _connect(self) -> None:
        if self._module is None:
            for name, value in _ENVIRONMENT.items():
                os.environ.setdefault(name, value)
            # Imported here because MLflow takes seconds, and reads that environment on import.
            self._module = importlib.import_module("lttune.study.tracking.mirror")
            self._moved = time.monotonic()
        if self._mirror is None:
            self._mirror = self._module.Mirror(self._uri, self._study)
            self._experiment = self._mirror.experiment
            self._moved = time.monotonic()

    def _is_refusal(self, error: Exception) -> bool:
        """Notes why an entry is not sent; returns whether it never will be."""
        # What the store holds is found afresh: a call may fail here and succeed there.
        was_open, self._mirror = self._mirror is not None, None
        reason = str(error).strip() or type(error).__name__
        reason = masked(reason.splitlines()[0])[:300]
        self._gap = f"{reason}; run the study again to fill the gap"
        if self._module is None:
            return False
        if self._module.is_broken(error):
            self._gap = (
                f"MLflow cannot open {sqlite_path(self._uri)}, which is half-made, "
                f"damaged or of another version ({reason}); move that file away and run the "
                "study again"
            )
            return False
        is_refusal = was_open and self._module.is_refusal(error)
        if is_refusal:
            self._refusals.append(reason)
        return is_refusal

    def _texts(self, values: Mapping[str, Any], most: int) -> dict[str, str]:
        return {key: _text(value, most) for key, value in values.items() if self._is_key(key)}

    def _finite(self, metrics: Mapping[str, float]) -> dict[str, float]:
        return {
            key: float(value)
            for key, value in metrics.items()
            if isinstance(value, numbers.Real) and math.isfinite(value) and self._is_key(key)
        }

    def _is_key(self, key: str) -> bool:
        """Returns whether MLflow takes the name of a metric, param or tag; remembers if not."""
        is_path = posixpath.normpath(key) == key and not key.startswith(("/", ".."))
        ok = is_path and key != "." and re.fullmatch(rf"[\w.\-:/ ]{{1,{_MAX_KEY}}}", key)
        if not ok:
            self._refused_keys.add(key)
        return bool(ok)


def _text(value: Any, most: int) -> str:
    return masked(str(value))[:most]


def _now() -> int:
    return time.time_ns() // 1_000_000
