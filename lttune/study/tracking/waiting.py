"""What waits to be sent to MLflow: each trial's together, earlier trials drawn one by one."""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias


class Entry(NamedTuple):
    """What MLflow is to be told."""

    kind: str
    """Method of the mirror that takes it."""
    values: tuple[Any, ...]
    """What that is given."""
    trial: int | None
    """The trial that it is of; None is none."""


EntryGroup: TypeAlias = list[Entry]
"""Entries of one trial, or of none, that no other entry has to come between."""

MOST_WAITING = 20_000
"""Entries that wait at most: tens of megabytes."""


class Waiting:
    """Entries that any thread notes and one thread takes.

    An entry of a trial joins those of that trial that wait, before later ones of other trials; past
    one that is of no trial it never goes. When ``MOST_WAITING`` wait, later ones are counted and
    not kept, to the end: a gap in the middle of a trial would have its later entries refused.

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
        self._groups: deque[EntryGroup | Iterator[None]] = deque()
        self._joined: dict[int, EntryGroup] = {}
        self._kept = 0
        self._drawn: EntryGroup = []
        self._is_full = False
        self._taker: threading.Thread | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits that could be taken."""
        return not self._groups

    def note(self, kind: str, *values: Any, trial: int | None = None) -> None:
        """Adds an entry; the taker's own, which are of a backlog, come first.

        Args:
            kind: of entry.
            values: that it has.
            trial: that it is of.
        """
        entry = Entry(kind, values, trial)
        if threading.current_thread() is self._taker:
            self._drawn.append(entry)
            return
        with self.changed:
            self.noted += 1
            self.missing += 1
            self._is_full = self._is_full or self._kept >= MOST_WAITING
            if not self._is_full:
                self._kept += 1
                self._join(entry)
            self.changed.notify_all()

    def fill(self, steps: Iterator[None], trials: int) -> None:
        """Adds a backlog at the end.

        Args:
            steps: each step notes the entries of one trial. The taker takes it when all before is
                dealt with, so that however many trials there are cost no memory.
            trials: how many steps there are; each counts as one entry until it is taken.
        """
        with self.changed:
            self._joined.clear()
            self._groups.append(steps)
            self.noted += trials
            self.missing += trials
            self.changed.notify_all()

    def first(self, is_over: Callable[[], bool], most: int = 1) -> EntryGroup:
        """Waits for entries and returns the first, which stay; none once it is over.

        Args:
            is_over: tells that no more are waited for.
            most: entries that are returned: more than one are of one trial.
        """
        self._taker = threading.current_thread()
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self._groups or is_over())
                if not self._groups:
                    return []
                first = self._groups[0]
                if isinstance(first, list):
                    return first[: 1 if first[0].trial is None else most]
            self._draw(first)

    def done(self, number: int = 1) -> None:
        """Removes the first entries, which are dealt with."""
        with self.changed:
            first = self._groups[0]
            assert isinstance(first, list)
            trial = first[0].trial
            del first[:number]
            if not first:
                self._groups.popleft()
                if trial is not None and self._joined.get(trial) is first:
                    del self._joined[trial]
            self.missing -= number
            self._kept -= number

    def _join(self, entry: Entry) -> None:
        if entry.trial is None:
            self._joined.clear()
            self._groups.append([entry])
        elif entry.trial in self._joined:
            self._joined[entry.trial].append(entry)
        else:
            group = [entry]
            self._groups.append(group)
            self._joined[entry.trial] = group

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
                drawn = [list(group) for _, group in itertools.groupby(self._drawn, _trial)]
                self.noted += len(self._drawn) - 1
                self.missing += len(self._drawn) - 1
                self._kept += len(self._drawn)
                self._groups.extendleft(reversed(drawn))
            else:
                self._groups.popleft()


def _trial(entry: Entry) -> int | None:
    return entry.trial
