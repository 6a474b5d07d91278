"""A mistake in a study file is told in a line, with its place, as one in a flag is."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from types import TracebackType

from lttune.config.passwords import masked
from lttune.errors import ConfigError, complaint

CHECKERS = ("analysis", "lttune")
"""Packages in which rules are checked: what a file gave to them is what is wrong."""

BETWEEN = ("copy", "dataclasses")
"""Modules by which a file changes one of our values, as by ``dataclasses.replace``."""


def tell_mistakes_of_script() -> None:
    """Has a ``ConfigError`` that the program's own file makes told by the place in it.

    A study file makes its parts before any command of lttune is called that could tell it. Where
    somebody else looks at exceptions, or sits at a prompt that the process's end would take away,
    all stays as it is.
    """
    if sys.excepthook is not sys.__excepthook__:
        return
    before = sys.excepthook

    def told(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        place = _place(trace)
        is_prompt = sys.flags.inspect or hasattr(sys, "ps1")
        if is_prompt or place is None or not isinstance(error, ConfigError):
            before(kind, error, trace)
            return
        print(masked(complaint(error.within(place))), file=sys.stderr, flush=True)
        raise SystemExit(error.exit_code)

    sys.excepthook = told


def _place(trace: TracebackType | None) -> str | None:
    """Returns file and line of the program that gave something to lttune; None if others did."""
    frames = [
        (frame.f_globals.get("__name__", ""), frame.f_code.co_filename, line)
        for frame, line in traceback.walk_tb(trace)
        if frame.f_globals.get("__name__") not in BETWEEN
    ]
    mine = [place for place, (name, _, _) in enumerate(frames) if name == "__main__"]
    if not mine or mine[-1] + 1 == len(frames):
        return None
    _, file, line = frames[mine[-1]]
    callee = frames[mine[-1] + 1][0].partition(".")[0]
    return f"{Path(file).name}:{line}" if callee in CHECKERS else None
