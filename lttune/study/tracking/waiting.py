"""What waits to be sent to MLflow: entries in order, those of earlier trials drawn one by one."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

Entry: TypeAlias = "tuple[str, tuple[Any, ...]]"
"""Which method of the mirror sends it, and what that is given."""

MOST_WAITING = 20_000
"""Entries that wait at most: tens of megabytes."""


class Waiting:
    """Entries that any thread notes and one thread takes.

    When ``MOST_WAITING`` wait, later ones are counted and not kept, to the end: a gap in the middle
    of a trial would have its later entries refused.

    Attributes:
        changed: told when there is something new to look at.
        noted: entries that were noted so far.
        missing: those of them that are not dealt with.
        unreadable: why the rest of a backlog cannot be noted; None if it can.
    """

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.noted = self.missing = 0
        self.unreadable: Exception | None = None
        self._entries: deque[Entry | Iterator[None]] = deque()
        self._drawn: list[Entry] = []
        self._is_full = False
        self._taker: threading.Thread | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits that could be taken."""
        return not self._entries

    def note(self, kind: str, *of_kind: Any) -> None:
        """Adds an entry at the end; the taker's own, which are of a backlog, come first."""
        if threading.current_thread() is self._taker:
            self._drawn.append((kind, of_kind))
            return
        with self.changed:
            self.noted += 1
            self.missing += 1
            self._is_full = self._is_full or len(self._entries) >= MOST_WAITING
            if not self._is_full:
                self._entries.append((kind, of_kind))
            self.changed.notify_all()

    def fill(self, steps: Iterator[None], trials: int) -> None:
        """Adds a backlog at the end.

        Args:
            steps: each step notes the entries of one trial. The taker takes it when all before is
                dealt with, so that however many trials there are cost no memory.
            trials: how many steps there are; each counts as one entry until it is taken.
        """
        with self.changed:
            self._entries.append(steps)
            self.noted += trials
            self.missing += trials
            self.changed.notify_all()

    def first(self, is_over: Callable[[], bool]) -> Entry | None:
        """Waits for an entry and returns the first, which stays; None once it is over."""
        self._taker = threading.current_thread()
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self._entries or is_over())
                if not self._entries:
                    return None
                first = self._entries[0]
            if isinstance(first, tuple):
                return first
            self._draw(first)

    def done(self) -> None:
        """Removes the first entry, which is dealt with."""
        with self.changed:
            self._entries.popleft()
            self.missing -= 1

    def _draw(self, backlog: Iterator[None]) -> None:
        """Puts the entries of a backlog's next trial before everything that waits."""
        over = object()
        self._drawn = []
        try:
            is_drawn = next(backlog, over) is not over
        except Exception as error:  # Files of another version, or that somebody changed.
            self.unreadable, is_drawn = error, False
        with self.changed:
            if is_drawn:
                self.noted += len(self._drawn) - 1
                self.missing += len(self._drawn) - 1
                self._entries.extendleft(reversed(self._drawn))
            else:
                self._entries.popleft()
