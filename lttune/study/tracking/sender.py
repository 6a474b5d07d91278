"""The thread that sends to MLflow what waits, again and again while the server is away."""

from __future__ import annotations

import importlib
import math
import threading
import time
from collections.abc import Callable
from typing import Any, Literal

from lttune.config.passwords import masked
from lttune.study.tracking.database import settle_sqlite
from lttune.study.tracking.server import require_answer, unanswered
from lttune.study.tracking.uri import sqlite_path
from lttune.study.tracking.waiting import MOST_WAITING, EntryGroup, Waiting

_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 60.0
_LAST_TRIES, _LAST_PROBE_S = 2, 1.0
_GLANCE_S, _URGENT_S = 0.2, 10.0
_PATIENCE = 4
"""Times its time-out that ``wait`` waits at most, while entries arrive."""
_TOGETHER_S = 4.0
"""What entries that are sent together may take: far from what a call may (MLflow: two minutes), and
more than the way there and back, or none would ever go together."""

_NO_TIME = "there was no time"
_FULL = f"more than {MOST_WAITING} waited for it"

_Fate = Literal["sent", "refused", "again", "failed"]


class Sender:
    """Sends entries in a daemon thread, those of a trial that wait together.

    As many are sent at once as the last ones say take four seconds. If that fails, each of them is
    sent alone: a store that refuses one gets the others, and a slow one gets one after the other.

    Attributes:
        experiment: MLflow's number of the study's experiment, empty until it is known.
        refusals: why entries were refused.
    """

    def __init__(
        self,
        uri: str,
        study: str,
        study_id: str | None,
        waiting: Waiting,
        is_own_database: bool = False,
    ) -> None:
        self.experiment = ""
        self.refusals: list[str] = []
        self._uri, self._study, self._study_id = uri, study, study_id
        self._waiting, self._is_own = waiting, is_own_database
        self._module: Any = None
        self._mirror: Any = None
        self._runs: Any = None
        self._most, self._alone, self._is_second = 1, 0, False
        self._gap = _NO_TIME
        self._timeout_s = self._last_moment = math.inf  # Finite once wait() is called.
        self._moved = time.monotonic()
        self._thread = threading.Thread(target=self._work, name="lttune-mlflow", daemon=True)
        self._thread.start()

    def gap(self) -> str:
        """Returns why entries are missing, if some are."""
        with self._waiting.changed:
            if not self._waiting.is_empty:
                return self._gap
            return self._reason(self._waiting.unreadable) if self._waiting.unreadable else _FULL

    def wait(self, timeout_s: float, is_urgent: Callable[[], bool] | None) -> None:
        """Waits until all is sent, or until there is no hope, as ``Tracker.close`` says."""
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

    def _left_s(self) -> float:
        """Returns the seconds for which there is still hope: infinitely many before wait()."""
        return min(self._moved + self._timeout_s, self._last_moment) - time.monotonic()

    def _is_closing(self) -> bool:
        return math.isfinite(self._timeout_s)

    def _work(self) -> None:
        wait_s, last_tries = _FIRST_WAIT_S, _LAST_TRIES
        while last_tries and (entries := self._waiting.first(self._is_closing, self._together())):
            if self._left_s() < 0:
                return
            is_closing, began = self._is_closing(), time.monotonic()
            outcome = self._send(entries)
            # What is refused after a look is refused: each try may look at other runs.
            self._is_second = outcome == "again" and len(entries) == 1
            if outcome in ("sent", "refused"):
                self._waiting.done(len(entries))
                self._moved, self._gap = time.monotonic(), _NO_TIME
                wait_s, last_tries = _FIRST_WAIT_S, _LAST_TRIES
                self._alone = max(self._alone - len(entries), 0)
                self._most = int(len(entries) * _TOGETHER_S / max(self._moved - began, 1e-3))
            elif outcome == "failed" and is_closing:
                last_tries -= 1
                time.sleep(_FIRST_WAIT_S if last_tries else 0)
            elif outcome == "failed":
                with self._waiting.changed:
                    self._waiting.changed.wait_for(self._is_closing, wait_s)
                wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    def _together(self) -> int:
        """Returns how many entries of a trial are sent at once."""
        return 1 if self._alone else max(self._most, 1)

    def _send(self, entries: EntryGroup) -> _Fate:
        """Returns what became of entries; nothing that MLflow does may end the thread."""
        try:
            self._connect()
            self._mirror.send(entries)
        except Exception as error:
            return self._failed(error, len(entries))
        return "sent"

    def _connect(self) -> None:
        if self._mirror is not None:
            return
        require_answer(self._uri)
        if self._module is None:
            # Imported here because MLflow takes seconds.
            self._module = importlib.import_module("lttune.study.tracking.mirror")
            self._moved = time.monotonic()
        whose = self._study, self._study_id, self._runs, self._is_own
        self._mirror = self._module.Mirror(self._uri, *whose)
        self._runs, self.experiment = self._mirror.runs, self._mirror.experiment
        self._moved = time.monotonic()

    def _failed(self, error: Exception, number: int) -> _Fate:
        """Notes why entries are not sent; returns whether they never will be, or should be now."""
        # What the call was of is found afresh: it may fail here and succeed there.
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
            return "failed"
        if number > 1:
            self._alone = number
        if not self._module.is_refusal(error):
            return "failed"
        is_certain = self._runs.is_sure or self._is_second or self._module.is_of_itself(error)
        if number > 1 or not is_certain:
            return "again"
        self.refusals.append(reason)
        return "refused"

    def _reason(self, error: Exception) -> str:
        known = self._module.forbidden(error) if self._module else ""
        reason = known or str(error).strip() or type(error).__name__
        return masked(reason.splitlines()[0], self._uri)[:300]
