"""The steps of a slow command, told while it is under way."""

from __future__ import annotations

import contextlib
import logging
import math
import sys
import threading
import time
from collections.abc import Iterator
from typing import Literal

from lttune.errors import legible

FIRST_STEP_S = 0.3
"""Seconds after which a command that has said nothing says what it is doing."""
NEXT_STEP_S = 2.0
"""Seconds between two looks at whether it does something else by now."""
STILL_S = 20.0
"""Seconds after which a step is told again, with how long it has taken."""

_TELLING = ("lttune", "analysis")
"""Packages whose log, at level INFO, is the steps of a command."""


class _Steps(logging.Handler):
    """Prints from a thread what a command is doing, as its log says it."""

    def __init__(self, command: str, stream: str, first: str) -> None:
        super().__init__(logging.INFO)
        self._command, self._stream = command, stream
        self._step, self._since = first, time.monotonic()
        self.ended = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        """Notes a step; an empty one has output of its own. A warning is printed as ever."""
        if record.levelno > logging.INFO:
            if logging.lastResort is not None:
                logging.lastResort.handle(record)
            return
        self._step, self._since = record.getMessage(), time.monotonic()

    def tell(self) -> None:
        """Prints each step that lasts until the next look, and those that go on and on."""
        told, at = "", -math.inf
        pause = FIRST_STEP_S
        while not self.ended.wait(pause):
            pause, step, now = NEXT_STEP_S, self._step, time.monotonic()
            if step and (step != told or now - at >= STILL_S):
                so_far = f" ({now - self._since:.0f} s so far)" if step == told else ""
                # Nothing depends on it: a reader that has gone ends the command elsewhere.
                with contextlib.suppress(OSError, ValueError):
                    line = f"{self._command}: {legible(step)}{so_far}"
                    print(line, file=getattr(sys, self._stream), flush=True)
                told, at = step, now


@contextlib.contextmanager
def steps_shown(
    command: str, first: str, stream: Literal["stdout", "stderr"] = "stderr"
) -> Iterator[None]:
    """Says what is under way inside, in lines, once it takes longer than a moment.

    Steps are what ``lttune`` and ``analysis`` log at level INFO, so that whoever is slow says so
    with the standard library and knows nothing of a screen. A quick command prints nothing.

    Args:
        command: what each line begins with.
        first: the step with which it begins.
        stream: where they go; those of a command whose result is printed belong to "stderr".
    """
    steps = _Steps(command, stream, first)
    loggers = [logging.getLogger(name) for name in _TELLING]
    before = [(logger.level, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.addHandler(steps)
        logger.setLevel(logging.INFO)
        # MLflow gives the root a handler, which would print each step a second time.
        logger.propagate = False
    threading.Thread(target=steps.tell, name="lttune-steps", daemon=True).start()
    try:
        yield
    finally:
        steps.ended.set()
        for logger, (level, propagates) in zip(loggers, before, strict=True):
            logger.removeHandler(steps)
            logger.setLevel(level)
            logger.propagate = propagates
