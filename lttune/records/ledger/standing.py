"""How the trials of a study stand: kept as they turn, so that to ask takes no walk through all."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Collection, Iterator

from lttune.records.ledger.trial import Trial, TrialState


class Standing:
    """The trials of each phase in the order of their numbers, and how many are in each state."""

    def __init__(self) -> None:
        self._of: dict[str, list[Trial]] = {}
        self._counts = Counter[tuple[str, TrialState]]()
        self._place: dict[int, int] = {}
        self._first: dict[str, int] = {}
        """Phase -> place of its first trial that may be waiting: none before it is."""
        self._running: dict[int, Trial] = {}
        self.known = 0
        """Number of trials that were added."""

    def add(self, trial: Trial) -> None:
        """Adds the next trial; from now on it tells how it turns."""
        mine = self._of.setdefault(trial.phase, [])
        self._place[trial.number] = len(mine)
        self._first.setdefault(trial.phase, 0)
        mine.append(trial)
        self._enter(trial)
        trial.on_turn(self._turned)
        self.known += 1

    def of(self, phase: str) -> list[Trial]:
        """Returns the trials of a phase; not to be changed."""
        return self._of.get(phase, [])

    def count(self, states: Collection[TrialState], phase: str | None = None) -> int:
        """Returns how many trials, of all phases or of one, are in one of the states."""
        phases = [*self._of] if phase is None else [phase]
        return sum(self._counts[name, state] for name in phases for state in states)

    def running(self) -> list[Trial]:
        """Returns the trials that run, in the order of their numbers."""
        return sorted([*self._running.values()], key=lambda trial: trial.number)

    def waiting(self, phases: Collection[str]) -> Iterator[Trial]:
        """Yields the waiting trials of some phases, in the order of their numbers."""
        found = (self._waiting(phase) for phase in phases if phase in self._of)
        return heapq.merge(*found, key=lambda trial: trial.number)

    def _waiting(self, phase: str) -> Iterator[Trial]:
        mine, first = self._of[phase], self._first[phase]
        while first < len(mine) and mine[first].state != "waiting":
            first += 1
        self._first[phase] = first
        for place in range(first, len(mine)):
            if mine[place].state == "waiting":
                yield mine[place]

    def _turned(self, trial: Trial, before: TrialState) -> None:
        self._counts[trial.phase, before] -= 1
        self._running.pop(trial.number, None)
        self._enter(trial)

    def _enter(self, trial: Trial) -> None:
        self._counts[trial.phase, trial.state] += 1
        if trial.state == "running":
            self._running[trial.number] = trial
        if trial.state == "waiting":
            place = self._place[trial.number]
            self._first[trial.phase] = min(self._first[trial.phase], place)
