"""Where in code of one's own an error began."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
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
    own = {*modules}
    # The last of them: what lies behind it is a library's, which a user cannot mend.
    for frame, line in reversed([*traceback.walk_tb(error.__traceback__)]):
        if str(frame.f_globals.get("__name__")).partition(".")[0] in own:
            return f" ({Path(frame.f_code.co_filename).name}, line {line})"
    return ""
