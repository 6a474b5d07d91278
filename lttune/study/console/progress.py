"""What a person sees while a study runs: phases, trials, levels, accuracy and time left."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live

from lttune.config.output.escaped import escaped_output
from lttune.records.ledger import ENDED, OVER, Ledger, Trial
from lttune.records.objectives import objective_text
from lttune.study.console.printing import say_on
from lttune.study.console.reached import ReachedNote
from lttune.study.console.table import clock, head_text, running_table

MOST_LINES = 100
"""Trials of a study up to which each has a line of its own where there is no terminal."""


class Progress:
    """One live display on a terminal; lines anywhere else.

    A line is printed for each finished trial or, if they are more than ``MOST_LINES``, for each
    percent of them, and for each that failed.

    Args:
        ledger: the study's trials.
        networks: number of networks that a trial of each phase trains: the work that the time left
            is estimated from.
        console: where to draw.
        base: dotted path -> value of the base configuration, which a trial has that does not vary
            it.
        note: where what is reached is noted for others, if anywhere.
    """

    def __init__(
        self,
        ledger: Ledger,
        networks: Mapping[str, float],
        console: Console,
        base: Mapping[str, Any] | None = None,
        note: ReachedNote | None = None,
    ) -> None:
        self._ledger, self._work, self._console = ledger, dict(networks), console
        self._base, self._note = base or {}, note
        self._now: dict[int, dict[str, Any]] = {}
        self._share: dict[int, float] = {}
        self._began = time.monotonic()
        self._first: float | None = None
        self._trained = 0.0
        self._live: Live | None = None
        self._percent = -1
        self._shown = contextlib.ExitStack()

    def __enter__(self) -> Progress:
        if self._console.is_terminal:
            self._live = Live(self, console=self._console, refresh_per_second=2, transient=True)
            self._shown.callback(self._live.stop)
            self._live.start()
            # It shows what others print meanwhile, with its colours.
            self._shown.enter_context(escaped_output())
        return self

    def __exit__(self, *exc: object) -> None:
        self._shown.close()
        if self._note:
            self._note.remove()

    def started(self) -> None:
        """Notes that a trial begins: the pace counts from the first, not from Ray's start."""
        self._first = self._first or time.monotonic()

    def level(self, trial: Trial, report: Mapping[str, Any], share: float) -> None:
        """Notes a level: its report, and the share of the trial's work that is now done."""
        fresh = any(not row["reused"] for row in report.get("rows", ()))
        gained = (share - self._share.get(trial.number, 0.0)) * self._work[trial.phase]
        if fresh:
            self._trained += gained
        self._share[trial.number] = share
        self._now[trial.number] = dict(report)
        if self._note:
            self._note.write(self._now, self._left)

    def ended(self, trial: Trial) -> None:
        """Notes the end of a trial; without a terminal, prints a line about it if it is time."""
        self._share.pop(trial.number, None)
        report = self._now.pop(trial.number, {})
        if self._live is None and self._is_told(trial):
            say_on(self._console, self._line(trial, report))

    def _is_told(self, trial: Trial) -> bool:
        total, before = self._ledger.total, self._percent
        self._percent = 100 * self._ledger.count(*ENDED) // max(total, 1)
        return total <= MOST_LINES or self._percent != before or trial.state == "failed"

    def _line(self, trial: Trial, report: Mapping[str, Any]) -> str:
        done = self._ledger.count(*ENDED)
        value = "" if trial.objective is None else f"  objective {objective_text(trial.objective)}"
        reached = ""
        if "density" in report:
            reached = f"  level {report['level']}  density {report['density']:.1%}"
            reached += f"  test {report['test_accuracy']:.2%}"
        trouble = f"  {trial.error}" if trial.error else ""
        left = self._left()
        return (
            f"[{done}/{self._ledger.total}] {trial.name}: {trial.state}{reached}{value}"
            f"{trouble}{'' if left is None else f'  ({clock(left)} left)'}"
        )

    def _left(self) -> float | None:
        """Returns the seconds left at the pace so far; None before anything was trained."""
        if not self._trained or self._first is None:
            return None
        todo = 0.0
        for phase in self._ledger.active:
            planned = self._ledger.planned.get(phase, 0)
            done = self._ledger.count(*OVER, phase=phase)
            todo += max(planned - done, 0) * self._work[phase]
        running = self._ledger.running
        todo -= sum(self._share.get(t.number, 0) * self._work[t.phase] for t in running)
        return todo / self._trained * (time.monotonic() - self._first)

    def __rich__(self) -> RenderableType:
        ledger = self._ledger
        running = ledger.running
        so_far = time.monotonic() - self._began
        head = head_text(ledger, running, so_far, self._left())
        return Group(head, running_table(running, self._now, self._base, self._console.width))
