"""A console for what is printed and nothing else."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import IO, Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from lttune.config.output.escaped import drawable
from lttune.errors import escaped, legible


def say_on(console: Console, text: str, style: str | None = None) -> None:
    """Draws a text as one line, whoever wrote it: what it holds of an end of a line is shown."""
    console.print(legible(text), style=style, markup=False, soft_wrap=True)


def _is_terminal(stream: Any) -> bool:
    try:
        return stream.isatty()
    except (AttributeError, ValueError):  # There is none, or it was closed.
        return False


class PrintingConsole(Console):
    """Draws on a terminal what no text changes: of files, of servers, of others' code.

    No text is rich's markup or names an emoji, and the control characters of all are written out.
    It leaves to the command what it means that nobody reads its output: rich's own ends the process
    with exit code 1.

    Args:
        file: where to draw; None is the standard output.
        options: as of rich's own.
    """

    def __init__(self, *, file: IO[str] | None = None, **options: Any) -> None:
        stream: Any = drawable(sys.stdout) if file is None else file
        # To rich a pipe is a terminal where a variable such as FORCE_COLOR is set, as in CI, and so
        # is one that cannot move its cursor, on which a display that changes is never seen.
        is_dumb = os.environ.get("TERM", "").lower() in ("dumb", "unknown")
        forced = None if _is_terminal(stream) and not is_dumb else False
        usual = {"markup": False, "emoji": False, "force_terminal": forced}
        super().__init__(file=stream, **{**usual, **options})

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Yields what is drawn, as rich's own does."""
        for one in super().render(renderable, options):
            # Controls are what rich itself moves the cursor with.
            yield one if one.control else Segment(escaped(one.text), one.style)

    def on_broken_pipe(self) -> None:
        """Raises ``BrokenPipeError``: it is called while that is handled."""
        raise
