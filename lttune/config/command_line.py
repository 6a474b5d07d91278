"""Flags on a command line, refused in one line."""

from __future__ import annotations

import contextlib
import io
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from typing import TypeVar

from lttune.config.passwords import masked
from lttune.config.unneeded import send_nowhere

T = TypeVar("T")

REFUSED = 2
"""Exit code of a command line that cannot be understood."""

UNREAD_OUTPUT = 141
"""Exit code where the output's reader has gone: what a shell reports of a filter that it ends."""


@contextlib.contextmanager
def unread_output() -> Iterator[None]:
    """Ends the process without a word where nobody reads its output any more, as in ``| head``.

    Raises:
        SystemExit: ``UNREAD_OUTPUT`` then.
    """
    try:
        try:
            yield
        finally:
            # A short output fails only here, or at the interpreter's end, which nobody can catch.
            _flush()
    except BrokenPipeError:
        _drop_rest()
        raise SystemExit(UNREAD_OUTPUT) from None


def _flush() -> None:
    if sys.stdout is not None:
        sys.stdout.flush()


def _drop_rest() -> None:
    """Sends to nowhere what is still buffered: the interpreter would complain of it at its end."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except BrokenPipeError:
            send_nowhere(stream)


def parsed(parse: Callable[[], T], command: str) -> T:
    """Returns what ``parse``, a call of tyro, makes of the flags.

    Args:
        parse: reads the flags; help goes to the standard output as it is.
        command: what prints help when ``--help`` follows it.

    Raises:
        SystemExit: 0 after help; 2 after one line on the standard error, where tyro draws a box.
    """
    said = io.StringIO()
    try:
        with redirect_stderr(said):
            return parse()
    except SystemExit as end:
        if end.code:
            text = masked(_line(said.getvalue()), *sys.argv)
            print(f"lttune: error: {text}; see {command} --help", file=sys.stderr)
            raise SystemExit(REFUSED) from None
        raise


def _line(box: str) -> str:
    """Returns what a box says as one line: its first part, and the flag that it suggests."""
    # The frame is of other characters, and without sides, where the output's encoding is ASCII.
    rows = [row.strip(" │|╭╮╰╯") for row in box.splitlines()[1:]]
    parts: list[list[str]] = [[]]
    for row in rows:
        if re.fullmatch("[─-]{8,}", row):
            parts.append([])
        elif row:
            parts[-1].append(row)
    first, *rest = [part for part in parts if part] or [[box]]
    text = re.sub(r"\s+", " ", " ".join(first)).strip(". ")
    text = re.sub(r"^Error parsing (?!--)[\w.]+: ", "", text)
    meant = [r.split()[0] for part in rest if "meant" in part[0] for r in part if r[:2] == "--"]
    return f"{text}; did you mean {meant[0]}?" if meant else text
