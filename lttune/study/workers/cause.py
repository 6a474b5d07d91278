"""What a trial that failed says of the cause."""

from __future__ import annotations

import contextlib
from pathlib import Path

from lttune.errors import lacks_memory


def cause_of(error: Exception) -> str:
    """Returns an error's kind and text; where memory ran out, how much the process had of it."""
    text = ": ".join(filter(None, (type(error).__name__, str(error))))
    if lacks_memory(error):
        return f"out of memory{_most()}: {text}"
    return text


def _most() -> str:
    """Returns how much memory this process had at the most, where the system tells that."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name == "VmHWM":
                return f", with {int(value.split()[0]) / 1e3:,.0f} MB in use at the most"
    return ""
