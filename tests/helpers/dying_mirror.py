"""A process that is killed while it makes MLflow's database."""

from __future__ import annotations

import itertools
import os
import signal
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

import lttune.study.tracking.mirror  # noqa: F401  # By whom it is forked has imported MLflow.
from lttune.study.tracking.tracker import Tracker


def die_at(point: str, uri: str) -> None:
    """Kills this process at a statement, or before or after a whole database has its name."""
    link, statements = Path.hardlink_to, itertools.count(1)

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def count(*_: object) -> None:
        if str(next(statements)) == point:
            die()

    def publish(self: Path, target: Any) -> None:
        if point == "linked":
            link(self, target)
        if not point.isdigit():
            die()
        link(self, target)

    event.listen(Engine, "before_cursor_execute", count)
    Path.hardlink_to = publish
    tracker = Tracker(uri, "dies")
    tracker.start(description="", params={}, tags={}, files=[], dataset=None)
    tracker.close(60)
