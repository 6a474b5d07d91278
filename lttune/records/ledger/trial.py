"""A trial of a study and how it stands, as ``trials.json`` lists it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from lttune.config.fields import settings_text
from lttune.errors import RefusedError, quoted

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

    def __setattr__(self, name: str, value: Any) -> None:
        before = vars(self).get("state")
        super().__setattr__(name, value)
        if name == "state" and (turned := vars(self).get("_turned")):
            turned(self, before)

    def on_turn(self, turned: Callable[[Trial, TrialState], None]) -> None:
        """Has somebody told each time that its state changes, and from which."""
        super().__setattr__("_turned", turned)

    @property
    def fields(self) -> dict[str, Any]:
        """What ``trials.json`` has of it; not to be changed."""
        found = {name: getattr(self, name) for name in _FIELDS}
        if not found["rebuilt"]:
            del found["rebuilt"]  # Older versions do not know it.
        return found

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
