"""Output in which nothing moves a cursor: texts of files, servers and others' code are shown.

A terminal takes control sequences as commands, whoever wrote them: they set its title, clear its
screen, or hide what was said. What is printed here holds none but ends of lines and tabs.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator
from typing import Any, TextIO, cast

from lttune.errors import escaped, legible


def say(*lines: str) -> None:
    """Prints lines. What each holds of an end of a line is written out: it begins no other one."""
    print("\n".join(map(legible, lines)))


@contextlib.contextmanager
def escaped_output() -> Iterator[None]:
    """Has all that is printed inside written as ``errors.escaped`` does.

    That is so of warnings, logs and libraries, too. What draws on a terminal does so on the streams
    of ``drawable``.
    """
    out, err = (stream and cast(TextIO, _Escaped(stream)) for stream in (sys.stdout, sys.stderr))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        yield


@contextlib.contextmanager
def coloured_output() -> Iterator[None]:
    """Has what is printed inside written as it is, as help in its colours: no text of others."""
    with contextlib.redirect_stdout(drawable(sys.stdout)):
        yield


def drawable(stream: Any) -> Any:
    """Returns the stream behind one of ``escaped_output``, or the stream itself."""
    return stream.behind if isinstance(stream, _Escaped) else stream


class _Escaped:
    """A stream of text that is no terminal, whatever is behind it: nobody is to draw on it."""

    def __init__(self, stream: TextIO) -> None:
        self.behind = drawable(stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.behind, name)

    def isatty(self) -> bool:
        """Returns False."""
        return False

    def write(self, text: str) -> int:
        """Writes a text; a bar of progress that is drawn anew is a line each time."""
        self.behind.write(escaped(text.replace("\r\n", "\n").replace("\r", "\n")))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Writes texts."""
        for line in lines:
            self.write(line)
