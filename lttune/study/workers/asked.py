"""Notes of workers that were asked to end (SIGTERM), as on a machine that is given back.

Ray (2.60) tells the driver of it only if its own message overtakes the end of the connection: of a
worker on an idle machine it said each time that it "unexpectedly exits". The notes lie with the
head of the cluster, which every worker reaches: the study's folder may be on the driver's disk.
"""

from __future__ import annotations

import contextlib
import signal
import uuid
from collections.abc import Callable
from types import FrameType
from typing import Any

from ray.experimental import internal_kv

NAMESPACE = b"lttune"
"""Of the keys that the head keeps."""
NOTE_S = 2.0
"""Seconds within which the head must take a note: it may be ending too."""


def leave_notes(run: str, trial_id: Callable[[], str]) -> None:
    """Has this process leave a note at SIGTERM before it does what it did at one so far.

    Args:
        run: what the notes of one run of a study have in common.
        trial_id: returns the trial that the process is running.
    """
    before: Any = signal.getsignal(signal.SIGTERM)

    def note(signum: int, frame: FrameType | None) -> None:
        # Without its note, whatever kept the head from it, this counts as a worker that died.
        with contextlib.suppress(Exception):
            head: Any = internal_kv.internal_kv_get_gcs_client()
            key = f"{_prefix(run, trial_id())}{uuid.uuid4().hex}"
            head.internal_kv_put(key.encode(), b"", True, NAMESPACE, NOTE_S)
        if callable(before):
            before(signum, frame)
        else:
            signal.signal(signum, before)
            signal.raise_signal(signum)

    signal.signal(signal.SIGTERM, note)


def count_notes(run: str, trial_id: str) -> int:
    """Returns how often workers were asked to end while they ran a trial."""
    return len(internal_kv._internal_kv_list(_prefix(run, trial_id), namespace=NAMESPACE))


def forget_notes(run: str) -> None:
    """Has the head, which may outlive the study, keep no notes of a run."""
    # Where the head has ended there is nothing to forget.
    with contextlib.suppress(Exception):
        internal_kv._internal_kv_del(f"{run}/", del_by_prefix=True, namespace=NAMESPACE)


def _prefix(run: str, trial_id: str) -> str:
    return f"{run}/{trial_id}."
