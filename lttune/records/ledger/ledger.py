"""The ledger of a study: every trial that was planned or proposed, and how it stands.

It is ``trials.json`` in the study's folder; what changes while a study runs is appended to the
journal beside it. Networks live in the cell store; the ledger only says which trials there are, so
that running a study again goes on where it stopped: a trial that was running counts as waiting.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lttune.errors import DamagedError
from lttune.records.ledger.listing import listing_in
from lttune.records.ledger.standing import Standing
from lttune.records.ledger.trial import ENDED, NEEDED_OF_TRIAL, Trial, TrialState, listed_trials
from lttune.store.files import write_errors
from lttune.store.formats.journal import Journal, remove_journal
from lttune.store.sealed import write_object


@dataclass
class Ledger:
    """All trials of one study, in the order of their numbers."""

    path: Path
    planned: dict[str, int] = field(default_factory=dict)
    """Phase -> number of trials that make it complete."""
    trials: list[Trial] = field(default_factory=list)
    wall_s: float = 0.0
    """Wall seconds of all runs of the study so far."""
    only: tuple[str, ...] | None = None
    """Phases that this run works on, None for all; others keep their plan and their trials."""
    study_id: str | None = None
    """What ``study.json`` beside it is known by; None in studies of older versions."""
    to_mend: dict[int, str] = field(default_factory=dict, init=False, repr=False, compare=False)
    """Number of a trial that failed in this run -> the part of one's own that it failed in."""
    _standing: Standing = field(default_factory=Standing, init=False, repr=False, compare=False)
    _adding: threading.Lock = field(
        default_factory=threading.Lock, init=False, repr=False, compare=False
    )
    """The display asks from a thread of its own."""
    _journal: Journal | None = field(default=None, init=False, repr=False, compare=False)
    _whole: int = field(default=0, init=False, repr=False, compare=False)
    """Bytes of the file that the journal goes on from."""
    _plan: dict[str, int] = field(default_factory=dict, init=False, repr=False, compare=False)
    """What that file has of ``planned``."""
    _noted: int = field(default=0, init=False, repr=False, compare=False)
    """Number of the first trial that neither the file nor the journal has."""

    @classmethod
    def open(cls, path: Path, study_id: str | None = None) -> Ledger:
        """Returns the ledger of a file, or an empty one; interrupted trials wait again.

        Raises:
            StorageError: if the file cannot be read, or is of another study.
            DamagedError: if it is not what was written.
            RefusedError: if a newer lttune wrote it.
        """
        try:
            values = listing_in(path, NEEDED_OF_TRIAL, study_id)
        except FileNotFoundError:
            return cls(path=path, study_id=study_id)
        trials = listed_trials(path, values["trials"])
        if [trial.number for trial in trials] != list(range(len(trials))):
            raise DamagedError(f"{path} must number its trials from 0, each once")
        for trial in trials:
            if trial.values is None and trial.objective is not None:
                trial.values = [trial.objective]  # The ledgers of older studies know one number.
            if trial.state in ("running", "failed"):
                trial.state, trial.error = "waiting", None
        planned, wall_s = dict(values.get("planned", {})), float(values.get("wall_s", 0.0))
        return cls(path=path, planned=planned, trials=trials, wall_s=wall_s, study_id=study_id)

    def add(
        self,
        phase: str,
        label: str,
        hparams: Mapping[str, Any],
        replicates: list[int],
        controls: list[str],
        role: str | None = None,
        inert: float | None = None,
    ) -> Trial:
        """Appends a waiting trial and returns it."""
        number = len(self.trials)
        trial = Trial(number, phase, label, dict(hparams), replicates, controls, role, inert)
        self.trials.append(trial)
        self._follow()  # Before it can turn.
        return trial

    def of(self, phase: str) -> list[Trial]:
        """Returns the trials of a phase; not to be changed."""
        return self._now.of(phase)

    def count(self, *states: TrialState, phase: str | None = None) -> int:
        """Returns how many trials, of all phases or of one, are in one of the states."""
        return self._now.count(states, phase)

    def waiting(self, phases: Collection[str]) -> Iterator[Trial]:
        """Yields the waiting trials of some phases, in the order of their numbers."""
        return self._now.waiting(phases)

    @property
    def running(self) -> list[Trial]:
        """The trials that run."""
        return self._now.running()

    @property
    def total(self) -> int:
        """Number of trials that make the study complete."""
        return sum(self.planned.values())

    @property
    def active(self) -> tuple[str, ...]:
        """The phases that this run works on."""
        return tuple(self.planned) if self.only is None else self.only

    def pending(self, phase: str) -> bool:
        """Whether a phase of this run has trials that did not end yet, or still lacks some.

        A failed trial has ended: it is tried again when the study is.
        """
        return phase in self.active and (
            len(self.of(phase)) < self.planned.get(phase, 0)
            or self.count("waiting", "running", phase=phase) > 0
        )

    def open_slots(self, phase: str) -> int:
        """Returns how many trials of a phase are planned and neither complete nor stopped."""
        return max(self.planned.get(phase, 0) - self.count(*ENDED, phase=phase), 0)

    @property
    def complete(self) -> bool:
        """Whether every planned trial of every phase is complete or was stopped."""
        return not any(self.open_slots(phase) for phase in self.planned)

    @property
    def finished(self) -> bool:
        """Whether every planned trial of the active phases is complete or was stopped."""
        return not any(self.open_slots(phase) for phase in self.active)

    def note(self, trial: Trial) -> None:
        """Has it on the disk how a trial stands, and those that were added since.

        It takes the same however many trials there are: the file is written whole only when its
        journal has outgrown it.

        Raises:
            StorageError: if it cannot be written.
        """
        journal = self._journal
        if (
            journal is None
            or not journal.is_whole
            or journal.size > max(MOST_NOTED_BYTES, self._whole)
            or self.planned != self._plan
        ):
            self._journal = None  # Of a file that is no more: until there is another, none.
            self._journal = Journal(self.path, self._write())
        else:
            added = range(self._noted, len(self.trials))
            numbers = sorted({trial.number, *added})
            journal.append(self.trials[number].fields for number in numbers)
        self._noted = len(self.trials)

    def save(self) -> None:
        """Writes the file whole, and removes its journal.

        Raises:
            StorageError: if it cannot be written.
        """
        self._journal = None
        self._write()
        remove_journal(self.path)

    @property
    def _now(self) -> Standing:
        if self._standing.known < len(self.trials):
            self._follow()
        return self._standing

    def _follow(self) -> None:
        with self._adding:
            while self._standing.known < len(self.trials):
                self._standing.add(self.trials[self._standing.known])

    def _write(self) -> str:
        """Writes the file, and returns its digest."""
        whose = {"study_id": self.study_id} if self.study_id else {}
        trials = [trial.fields for trial in self.trials]
        values = {**whose, "planned": self.planned, "wall_s": self.wall_s, "trials": trials}
        digest = write_object(self.path, values)
        with write_errors(self.path):
            self._whole, self._plan = self.path.stat().st_size, dict(self.planned)
        return digest


MOST_NOTED_BYTES = 1 << 20
"""Bytes of a journal that are read and parsed in no time; a longer one has as many as its file at
most, so that all writing of the file takes what its last does."""
