"""Studies that no MLflow hears of: what would be sent is made, and goes nowhere."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from lttune.study import conductor
from lttune.study.tracking import tracker


class SilentTracker:
    """Takes all that a ``Tracker`` takes; what it is to fill in is computed, as in the thread."""

    address = "nowhere"

    def __init__(self, *given: Any) -> None:
        pass

    def ask(self) -> str:
        return ""

    def fill(self, steps: Iterator[None], trials: int) -> None:
        assert len(list(steps)) == trials

    def close(self, timeout_s: float = 30, is_urgent: object = None) -> str:
        return ""

    def _taken(self, *arguments: Any, **named: Any) -> None:
        pass

    start = trial = level = end_trial = finish = _taken


@contextlib.contextmanager
def untracked() -> Iterator[None]:
    """Has studies and ``lttune sync`` send nothing."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (conductor, tracker):
            patch.setattr(module, "Tracker", SilentTracker)
        yield
