"""Signals that ask a command to end, and how it ends: at once, or after what must be done first."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import NoReturn

INTERRUPTED = 128
"""Added to a signal's number: the exit code of who is ended by it, as shells have it."""

INTERRUPTED_LINE = "lttune: interrupted"

_SHOW_CURSOR = b"\x1b[?25h"


class Interrupted(KeyboardInterrupt):
    """SIGINT, SIGTERM or SIGHUP; ``exit_code`` is 130, 143 or 129."""

    def __init__(self, signum: int) -> None:
        super().__init__()
        self.exit_code = INTERRUPTED + signum


def exit_code_of(error: KeyboardInterrupt) -> int:
    """Returns the exit code of who is interrupted: a plain interrupt is Ctrl-C."""
    return error.exit_code if isinstance(error, Interrupted) else INTERRUPTED + signal.SIGINT


def raise_interrupted(signum: int) -> NoReturn:
    """Raises ``Interrupted``, so that what is under way is left tidy."""
    raise Interrupted(signum)


def exit_at_once(signum: int) -> NoReturn:
    """Ends the process as ``end_at_once`` does, with the signal's exit code."""
    end_at_once(INTERRUPTED_LINE, INTERRUPTED + signum)


def end_at_once(line: str, exit_code: int) -> NoReturn:
    """Says why in one line and ends the process without finalising anything, from any thread.

    No file is left half-written: those of lttune are whole or absent, and what is temporary names
    its owner, so that the next run removes it.
    """
    # Not through Python's streams, in the middle of which the signal may have come.
    with contextlib.suppress(OSError):
        if os.isatty(1):
            os.write(1, _SHOW_CURSOR)
        os.write(2, f"{line}\n".encode())
    os._exit(exit_code)


def on_interrupt(action: Callable[[int], None]) -> Callable[[], None]:
    """Calls ``action`` at SIGINT, SIGTERM and SIGHUP; returns what puts the old handlers back.

    A hang-up that is ignored, as under nohup, stays ignored. Only the main thread can have
    handlers: in another one nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        return lambda: None
    asked = [signal.SIGINT, signal.SIGTERM]
    if _hangup() and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        asked.append(signal.SIGHUP)
    old = {one: signal.signal(one, lambda signum, frame: action(signum)) for one in asked}

    def restore() -> None:
        for signum, handler in old.items():
            # A handler that Python did not install cannot be put back.
            signal.signal(signum, signal.SIG_DFL if handler is None else handler)

    return restore


@contextlib.contextmanager
def interrupts_call(action: Callable[[int], None]) -> Iterator[None]:
    """Calls ``action`` at a signal of ``on_interrupt`` inside."""
    restore = on_interrupt(action)
    try:
        yield
    finally:
        restore()


@contextlib.contextmanager
def interrupts_kept() -> Iterator[None]:
    """Keeps this process's handlers from what takes SIGTERM, and its children from hang-ups.

    A terminal that goes away sends SIGHUP to every process in its foreground. Children that are
    started inside inherit that it is blocked, and live on until their parent has ended them; this
    process gets it when the block is left.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.getsignal(signal.SIGTERM)
    hangup = {signal.SIGHUP} if _hangup() else set[signal.Signals]()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, hangup) if hangup else None
    try:
        yield
    finally:
        if handler is not None:
            signal.signal(signal.SIGTERM, handler)
        if mask is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)


class Interrupts:
    """Signals to who has something to finish: the first is noted, a second ends it at once.

    Attributes:
        first: the first one; None until it comes.
    """

    def __init__(self) -> None:
        self.first: Interrupted | None = None
        self._is_raised = False

    @contextlib.contextmanager
    def handled(self) -> Iterator[None]:
        """Takes the signals of ``on_interrupt`` inside; what handled them before gets a second."""

        def interrupt(signum: int) -> None:
            if self.first:
                # Who asks twice does not want to wait for the end of what the first began.
                restore()
                signal.raise_signal(signum)
            self.first = Interrupted(signum)
            if self._is_raised:
                raise self.first

        restore = on_interrupt(interrupt)
        try:
            yield
        finally:
            restore()

    @contextlib.contextmanager
    def raised(self) -> Iterator[None]:
        """Raises the first one, also where it came before; outside it is only noted."""
        self._is_raised = True
        try:
            self.raise_first()
            yield
        finally:
            self._is_raised = False

    def raise_first(self) -> None:
        """Raises the first one if it came.

        Where an exception cannot be raised, as in a callback from C, Python drops it.
        """
        if self.first:
            raise self.first


def _hangup() -> bool:
    """Returns whether the system has hang-ups."""
    return hasattr(signal, "SIGHUP")
