"""Waits for what another thread or process does."""

from __future__ import annotations

import time
from collections.abc import Callable

LONGEST_S = 30.0


def wait_for(holds: Callable[[], bool]) -> None:
    """Returns once something holds; fails where it does not come to."""
    end = time.monotonic() + LONGEST_S
    while not holds():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.005)
