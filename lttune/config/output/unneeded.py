"""Output of who works on without a reader: a study goes on when its terminal is closed.

Who only prints ends there instead (``command_line.unread_output``).
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO, cast


@contextlib.contextmanager
def unneeded_output() -> Iterator[None]:
    """Goes on quietly where output cannot be written any more; what is left of it goes nowhere.

    That is so when a pipe's reader has gone, a terminal was hung up, or the disk of a log is full.
    A character that the output's encoding lacks becomes a question mark.
    """
    out, err = _Unneeded(sys.stdout), _Unneeded(sys.stderr)
    with (
        contextlib.redirect_stdout(cast(TextIO, out) if sys.stdout else None),
        contextlib.redirect_stderr(cast(TextIO, err) if sys.stderr else None),
    ):
        try:
            yield
        finally:
            out.flush()
            err.flush()


class _Unneeded:
    """A stream of text that nothing depends on."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Writes what can be written; returns the number of characters, as any stream does."""
        if self._stream is not None:
            with self._failing(self._stream):
                try:
                    self._stream.write(text)
                except UnicodeEncodeError:
                    # The error calls every table of characters a charmap.
                    encoding = self._stream.encoding
                    self._stream.write(text.encode(encoding, "replace").decode(encoding))
        return len(text)

    def flush(self) -> None:
        """Sends on what is buffered."""
        if self._stream is not None:
            with self._failing(self._stream):
                self._stream.flush()

    @contextlib.contextmanager
    def _failing(self, stream: TextIO) -> Iterator[None]:
        try:
            yield
        except OSError:
            # A stream of another kind than the process's own may have no descriptor.
            with contextlib.suppress(OSError):
                send_nowhere(stream)


def send_nowhere(stream: TextIO) -> None:
    """Has what is still buffered, and all that follows, go nowhere.

    Else the interpreter would complain at its end that it cannot be written.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, stream.fileno())
    finally:
        os.close(nowhere)


def open_descriptors() -> None:
    """Gives this process a standard input, output and error where it was started without one.

    Else the next file that is opened would get that number, and what a library prints there.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The least free number is given: this one.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
