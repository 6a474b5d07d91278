"""Where in code of one's own an error began."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path


def line_in(error: BaseException, modules: Iterable[str]) -> str:
    """Returns the file and line at which code was when an error was raised: " (mine.py, line 5)".

    Args:
        error: as it was caught.
        modules: names of the code's modules; those inside them count, since a package is one's own
            as a whole.

    Returns:
        An empty text if none of the code ran, or if the error's own text tells a line.
    """
    if isinstance(error, SyntaxError) and error.lineno is not None:
        return ""
    for _, path, line in _places(error, modules):
        return f" ({path.name}, line {line})"
    return ""


def module_of(error: BaseException, modules: Iterable[str]) -> str | None:
    """Returns which of some modules was running when an error was raised; None if none was."""
    return next((module for module, *_ in _places(error, modules)), None)


def _places(error: BaseException, modules: Iterable[str]) -> Iterator[tuple[str, Path, int]]:
    """Yields module, file and line of the code that was running, the last called first.

    What was called after the first of them is a library's, which a user cannot mend.
    """
    own = {*modules}
    for frame, line in reversed([*traceback.walk_tb(error.__traceback__)]):
        module = str(frame.f_globals.get("__name__")).partition(".")[0]
        if module in own:
            yield module, Path(frame.f_code.co_filename), line
