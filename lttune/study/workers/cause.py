"""What a trial that failed says of the cause."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

from lttune.config.lottery.model import is_of_torchvision
from lttune.errors import ConfigError, causes, lacks_memory
from lttune.records.own import OwnCode
from lttune.records.own.origin import line_in, module_of
from lttune.store.files import refused_write, subfolder, write_atomically
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


def to_mend(error: Exception, codes: Iterable[OwnCode]) -> str | None:
    """Returns the name of the part of one's own that has to be mended; None if that is none.

    Args:
        error: what ended the trial.
        codes: of all parts of one's own.
    """
    # PyTorch's word for a device without room, which is none of this process's memory.
    lacks_room = any(type(one).__name__ == "OutOfMemoryError" for one in causes(error))
    if lacks_room or lacks_memory(error) or refused_write(error):
        return None
    known = [code for code in codes if not is_of_torchvision(code.name)]
    if isinstance(error, ConfigError):  # It names the part, which need not have raised anything.
        told = str(error)
        names = (one.name for one in known if told.startswith(f"{one.field}: {one.name} "))
        return next(names, None)
    module = module_of(error, [code.module for code in known])
    return next((code.name for code in known if code.module == module), None)


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
