"""Time limits, and trials that all take the same by estimate."""

from __future__ import annotations

from typing import Any

from hand_clock import HandClock

from lttune.records.ledger import Trial
from lttune.study.phases.limit import TimeLimit

COSTS = (1.0, 2.0, 3.0)
"""Seconds of the levels of every trial of these tests."""


def limit_of(seconds: float, **more: Any) -> TimeLimit:
    options = {"is_measured": True, **more}
    return TimeLimit(HandClock.now + seconds, lambda *asked: COSTS, **options)


def trial(number: int = 0, phase: str = "anchor") -> Trial:
    return Trial(number, phase, "", {}, [0], [])


def level(number: int, *, reused: bool = False, **more: Any) -> dict[str, Any]:
    return {"level": number, "rows": [{"reused": reused}], **more}
