"""What a trial that failed says of the cause."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

from lttune.errors import ConfigError, lacks_memory
from lttune.records.own import OwnCode
from lttune.records.own.origin import line_in
from lttune.store.files import subfolder, write_atomically
from lttune.store.workplace import FAILURES


def cause_of(error: Exception, codes: Iterable[OwnCode] = ()) -> str:
    """Returns an error's kind and text; where memory ran out, how much the process had of it.

    Args:
        error: what ended the trial.
        codes: of the parts of one's own, of which a line is told if one of them raised it.
    """
    text = ": ".join(filter(None, (type(error).__name__, str(error))))
    if not isinstance(error, ConfigError):  # It tells the line itself.
        text += line_in(error, [code.module for code in codes])
    if lacks_memory(error):
        return f"out of memory{_most()}: {text}"
    return text


def keep_traceback(folder: Path, number: int, text: str) -> None:
    """Writes down in a study's folder where a trial raised, for whoever mends it."""
    with write_atomically(subfolder(folder, FAILURES) / f"trial-{number:03d}.txt") as path:
        path.write_text(text, encoding="utf-8", errors="backslashreplace")


def _most() -> str:
    """Returns how much memory this process had at the most, where the system tells that."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name == "VmHWM":
                return f", with {int(value.split()[0]) / 1e3:,.0f} MB in use at the most"
    return ""
