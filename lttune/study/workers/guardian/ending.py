"""The guardian's program: waits until its input ends with its parent, then ends what that started.

    python ending.py NAME=VALUE

What the parent started is what has NAME=VALUE in the environment that it was started with. Nothing
but the standard library is imported: the guardian has to be there before Ray is.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time

LOOKS_S = 3.0
"""Seconds for which it looks: what a killed parent was starting may not be there yet."""
BETWEEN_S = 0.05
"""Seconds between two looks."""


def end_marked(mark: bytes) -> None:
    """Kills every process that was started with a mark in its environment."""
    for name in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208  # pathlib takes time.
        with contextlib.suppress(OSError):
            # First held, then looked at: who gets its number later is another process.
            process = os.pidfd_open(int(name))
            try:
                with open(f"/proc/{name}/environ", "rb") as environment:  # noqa: PTH123
                    if mark in environment.read().split(b"\0"):
                        signal.pidfd_send_signal(process, signal.SIGKILL)
            finally:
                os.close(process)


def wait_and_end(mark: bytes) -> None:
    """Waits for the end of the input, then kills what is marked for as long as some may come."""
    sys.stdin.read()
    until = time.monotonic() + LOOKS_S
    while time.monotonic() < until:
        end_marked(mark)
        time.sleep(BETWEEN_S)


if __name__ == "__main__":
    wait_and_end(os.fsencode(sys.argv[1]))
