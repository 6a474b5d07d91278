"""The note of a worker that was asked to end, and what it does after it."""

from __future__ import annotations

import signal

import pytest
from drivers import script

from lttune.study.workers.asked import count_notes

WORKER = """
import signal, sys, time
from pathlib import Path
from lttune.study.workers.asked import leave_notes
if sys.argv[2] == "own":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
trial = "first"
leave_notes(Path(sys.argv[1]), lambda: trial)
trial = "second"
print("ready", flush=True)
time.sleep(50)
"""


@pytest.mark.parametrize(("handler", "code"), [("own", 7), ("none", -signal.SIGTERM)])
@pytest.mark.parametrize("place", ["new", "file"])
def test_a_note_is_left_and_the_worker_ends_as_before(handler, code, place, tmp_path):
    (tmp_path / "file").touch()
    folder = tmp_path / place / "notes"
    worker = script(WORKER, str(folder), handler)
    assert worker.stdout
    assert worker.stdout.readline() == "ready\n"
    worker.send_signal(signal.SIGTERM)
    _, err = worker.communicate(timeout=30)
    # A note that cannot be written keeps nobody from ending.
    assert (worker.returncode, err) == (code, "")
    left = 1 if place == "new" else 0
    assert [count_notes(folder, name) for name in ("first", "second")] == [0, left]
