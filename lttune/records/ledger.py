"""The ledger of a study: every trial that was planned or proposed, and how it stands.

It is ``trials.json`` in the study's folder, replaced atomically at every change. Networks live in
the cell store; the ledger only says which trials there are, so that running a study again goes on
where it stopped: a trial that was running counts as waiting.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lttune.errors import StorageError
from lttune.records import rules
from lttune.store.files import read_json, write_json

TrialState = Literal["waiting", "running", "complete", "stopped", "failed"]

ENDED: tuple[TrialState, ...] = ("complete", "stopped")
"""States that a study run again leaves as they are."""

OVER: tuple[TrialState, ...] = (*ENDED, "failed")
"""States that this run of a study leaves as they are; a failed trial is tried by the next."""


@dataclass
class Trial:
    """One trial and its standing."""

    number: int
    phase: str
    label: str
    """What a person tells it apart by."""
    hparams: dict[str, Any]
    """Dotted hyperparameters that differ from the study's base configuration."""
    replicates: list[int]
    controls: list[str]
    role: str | None = None
    """Why its point is in a design; None outside of designs."""
    inert: float | None = None
    """Value of a design's inert control factor."""
    state: TrialState = "waiting"
    objective: float | None = None
    """The first of ``values``."""
    values: list[float] | None = None
    """The objective's numbers of a complete trial."""
    seconds: float | None = None
    """Wall seconds of the attempt that completed it."""
    error: str | None = None

    @property
    def name(self) -> str:
        """Number, phase and label: the trial's name for people."""
        return f"{self.number:03d} {self.phase} {self.label}".strip()


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

    @classmethod
    def open(cls, path: Path) -> Ledger:
        """Returns the ledger of a file, or an empty one; interrupted trials wait again.

        Raises:
            StorageError: if the file cannot be read.
        """
        if not path.exists():
            return cls(path=path)
        try:
            values = read_json(path)
            rules.require_listing(path, values, ())
            trials = [Trial(**trial) for trial in values["trials"]]
            planned, wall_s = dict(values["planned"]), float(values["wall_s"])
        except (ValueError, KeyError, TypeError, AttributeError, OSError, StorageError) as error:
            raise StorageError(
                f"{path} is damaged ({type(error).__name__}): move it away"
            ) from error
        for trial in trials:
            if trial.values is None and trial.objective is not None:
                trial.values = [trial.objective]  # The ledgers of older studies know one number.
            if trial.state in ("running", "failed"):
                trial.state, trial.error = "waiting", None
        return cls(path=path, planned=planned, trials=trials, wall_s=wall_s)

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
        return trial

    def of(self, phase: str) -> list[Trial]:
        """Returns the trials of a phase."""
        return [trial for trial in self.trials if trial.phase == phase]

    def count(self, *states: TrialState) -> int:
        """Returns how many trials are in one of the states."""
        return sum(trial.state in states for trial in self.trials)

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
        mine = self.of(phase)
        return phase in self.active and (
            len(mine) < self.planned.get(phase, 0)
            or any(trial.state in ("waiting", "running") for trial in mine)
        )

    def open_slots(self, phase: str) -> int:
        """Returns how many trials of a phase are planned and neither complete nor stopped."""
        done = sum(trial.state in ENDED for trial in self.of(phase))
        return max(self.planned.get(phase, 0) - done, 0)

    @property
    def complete(self) -> bool:
        """Whether every planned trial of every phase is complete or was stopped."""
        return not any(self.open_slots(phase) for phase in self.planned)

    @property
    def finished(self) -> bool:
        """Whether every planned trial of the active phases is complete or was stopped."""
        return not any(self.open_slots(phase) for phase in self.active)

    def save(self) -> None:
        """Writes the file."""
        trials = [dataclasses.asdict(trial) for trial in self.trials]
        write_json(self.path, {"planned": self.planned, "wall_s": self.wall_s, "trials": trials})
