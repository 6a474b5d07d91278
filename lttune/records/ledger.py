"""The ledger of a study: every trial that was planned or proposed, and how it stands.

It is ``trials.json`` in the study's folder, replaced atomically at every change. Networks live in
the cell store; the ledger only says which trials there are, so that running a study again goes on
where it stopped: a trial that was running counts as waiting.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from lttune.config.fields import settings_text
from lttune.errors import DamagedError, RefusedError, quoted
from lttune.records import rules
from lttune.records.schema import require_same_study
from lttune.store.sealed import read_object, write_object

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
    """Wall seconds of the attempt that completed it, not of one that rebuilt it."""
    error: str | None = None
    rows: dict[str, int] | None = None
    """Table -> number of its rows when it ended; None in studies of older versions."""
    rebuilt: bool = False
    """Whether it had ended and lost its rows: they are made as far as it went, and nobody judges
    anew whether it goes on."""

    @property
    def name(self) -> str:
        """Number, phase, settings, and what its label says besides: its name for people."""
        settings = settings_text(self.hparams)
        more = f"{self.label} ".removeprefix(f"{settings} ").strip()
        return f"{self.number:03d} {self.phase} {settings}{more and f' ({more})'}"

    @property
    def ends_after(self) -> int | None:
        """Number of records after which it was stopped; None if it was not, or it is not known."""
        return (self.rows or {}).get("records") or None if self.values is None else None


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

    @classmethod
    def open(cls, path: Path, study_id: str | None = None) -> Ledger:
        """Returns the ledger of a file, or an empty one; interrupted trials wait again.

        Raises:
            StorageError: if the file cannot be read, or is of another study.
            DamagedError: if it is not what was written.
            RefusedError: if a newer lttune wrote it.
        """
        try:
            values = read_object(path)
        except FileNotFoundError:
            return cls(path=path, study_id=study_id)
        rules.require_listing(path, values, NEEDED_OF_TRIAL)
        require_same_study(path, values.get("study_id"), study_id)
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
        """Writes the file.

        Raises:
            StorageError: if it cannot be written.
        """
        whose = {"study_id": self.study_id} if self.study_id else {}
        trials = [dataclasses.asdict(trial) for trial in self.trials]
        for trial in trials:
            if not trial["rebuilt"]:
                del trial["rebuilt"]  # Older versions do not know it.
        values = {**whose, "planned": self.planned, "wall_s": self.wall_s, "trials": trials}
        write_object(self.path, values)


_FIELDS = {field.name: field for field in dataclasses.fields(Trial)}

NEEDED_OF_TRIAL = [n for n, field in _FIELDS.items() if field.default is dataclasses.MISSING]
"""Fields that every trial in ``trials.json`` has, whatever version wrote it."""


def listed_trials(path: Path, listed: Sequence[Mapping[str, Any]]) -> list[Trial]:
    """Returns the trials of a file, in the order of their numbers.

    Raises:
        RefusedError: if one has a field or a state that this lttune does not know.
    """
    if more := sorted(set().union(*listed) - _FIELDS.keys()):
        raise RefusedError(
            f"{path} was written by a newer lttune: its trials have {', '.join(more)}; use that "
            "version or a later one"
        )
    states = {one["state"] for one in listed if "state" in one}
    if others := sorted(states - {*get_args(TrialState)}):
        raise RefusedError(
            f"{path} was written by a newer lttune: its trials are {quoted(others)}; use that "
            "version or a later one"
        )
    return sorted((Trial(**one) for one in listed), key=lambda trial: trial.number)
