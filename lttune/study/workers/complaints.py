"""What Tune complains of, kept beside Ray's other logs instead of on the screen.

It logs tracebacks of its own state files, which nobody reads again, on a disk that is full, and of
trials that it repeats. What it means for a study, the study says.
"""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path

LOGGERS = ("ray.tune", "ray.train")
"""Loggers of Tune, and of the storage that it shares with Ray Train."""

COMPLAINTS = "lttune-tune.log"
"""Name of the file among Ray's logs."""


def keep_complaints(folder: Path) -> None:
    """Has what is logged by ``LOGGERS`` go to ``COMPLAINTS`` in a folder, and nowhere else.

    The file is made when there is something to write. What a process logged elsewhere before stays
    there.
    """
    kept = _File(folder / COMPLAINTS)
    for logger in map(logging.getLogger, LOGGERS):
        for handler in [one for one in logger.handlers if isinstance(one, _File)]:
            logger.removeHandler(handler)
            handler.close()
        logger.addHandler(kept)
        logger.propagate = False


class _File(logging.FileHandler):
    """A log that nothing depends on: the disk may be the one that is full."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, delay=True, encoding="utf-8")
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Writes what can be written."""
        with contextlib.suppress(OSError):
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # Its base's name.
        """Says nothing, where the base class would print a traceback."""
