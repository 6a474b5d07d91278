"""Notes of workers that were asked to end (SIGTERM), as on a machine that is given back.

Ray (2.60) tells the driver of it only if its own message overtakes the end of the connection: of a
worker on an idle machine it said each time that it "unexpectedly exits".
"""

from __future__ import annotations

import contextlib
import signal
import uuid
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any


def leave_notes(folder: Path, trial_id: Callable[[], str]) -> None:
    """Has this process leave a note at SIGTERM before it does what it did at one so far.

    Args:
        folder: of all notes of a run; made where it is missing.
        trial_id: returns the trial that the process is running.
    """
    before: Any = signal.getsignal(signal.SIGTERM)

    def note(signum: int, frame: FrameType | None) -> None:
        # Without its note this counts as a worker that died.
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{trial_id()}.{uuid.uuid4().hex}").touch()
        if callable(before):
            before(signum, frame)
        else:
            signal.signal(signum, before)
            signal.raise_signal(signum)

    signal.signal(signal.SIGTERM, note)


def count_notes(folder: Path, trial_id: str) -> int:
    """Returns how often workers were asked to end while they ran a trial."""
    return sum(1 for _ in folder.glob(f"{trial_id}.*"))
