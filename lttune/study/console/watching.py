"""A study as its files show it, to whoever watches it from elsewhere.

Nothing is written, moved or locked: the study may run, may have ended, may be somebody else's.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from lttune.config import flatten
from lttune.errors import legible
from lttune.records.folder import read_listing, read_sheet
from lttune.records.ledger import ENDED, NEEDED_OF_TRIAL, OVER, Ledger, Trial, listed_trials
from lttune.store.locks import driver
from lttune.study.console.outcome import show_answer
from lttune.study.console.reached import read_reached
from lttune.study.console.table import clock, head_text, running_table


@dataclass(frozen=True, kw_only=True)
class Glance:
    """What a study's files say at one moment."""

    folder: Path
    sheet: Mapping[str, Any]
    """``study.json``; empty while a study that just began has not written it."""
    ledger: Ledger
    driver: Mapping[str, Any] | None
    """Who runs it, as ``store.locks.driver``."""
    reports: Mapping[int, Mapping[str, Any]]
    """What running trials have reached, as ``read_reached``."""
    left_s: float | None

    @property
    def running(self) -> list[Trial]:
        """The trials under way; those that a killed driver left wait."""
        return [t for t in self.ledger.trials if t.state == "running" and self.driver is not None]

    @property
    def so_far_s(self) -> float | None:
        """Seconds since its driver began, by the clocks of two machines; None if it is unknown."""
        try:
            began = datetime.fromisoformat(str((self.driver or {})["since"]))
            return max((datetime.now(UTC) - began).total_seconds(), 0.0)
        except (KeyError, TypeError, ValueError):
            return None


def glance_at(folder: Path) -> Glance:
    """Returns what a study's files say now.

    Raises:
        StorageError: if the folder holds no study, or a file of it cannot be read.
        RefusedError: if a newer lttune wrote it.
    """
    # First of all: what a driver that is gone has written is there now.
    who = driver(folder)
    has_begun = (folder / "trials.json").exists() or who is None
    sheet = read_sheet(folder, ("name", "lottery")) if has_begun else {}
    found: Mapping[str, Any] = {"trials": []}
    if has_begun:
        found = read_listing(folder, NEEDED_OF_TRIAL, sheet.get("study_id"))
    ledger = Ledger(
        path=folder / "trials.json",
        planned=dict(found.get("planned", {})),
        trials=listed_trials(folder / "trials.json", found["trials"]),
        wall_s=float(found.get("wall_s", 0.0)),
    )
    reports, left_s = read_reached(folder) if who else ({}, None)
    return Glance(
        folder=folder, sheet=sheet, ledger=ledger, driver=who, reports=reports, left_s=left_s
    )


def watch_study(folder: Path, console: Console, every_s: float) -> int:
    """Shows a study until nobody runs it, then how it ended; returns 0 if it is complete, else 1.

    On a terminal it is one display that changes, anywhere else a line for each trial that ends.

    Args:
        folder: the study's.
        console: where to show it.
        every_s: seconds between two looks.

    Raises:
        LttuneError: as ``glance_at``.
    """
    seen = glance_at(folder)
    _show_heading(seen, console)
    if seen.driver is not None:
        seen = _followed(seen, console, every_s)
    _show_end(seen, console)
    return 0 if seen.ledger.complete else 1


def _followed(seen: Glance, console: Console, every_s: float) -> Glance:
    """Shows a study while it runs; returns how it is then."""
    live = Live(console=console, auto_refresh=False, transient=True)
    told = {trial.number for trial in seen.ledger.trials if trial.state in OVER}
    if not console.is_terminal:
        _say(console, _head(seen).plain)
    with live if console.is_terminal else contextlib.nullcontext():
        while seen.driver is not None:
            if console.is_terminal:
                base = flatten(seen.sheet.get("lottery", {}))
                table = running_table(seen.running, seen.reports, base, console.width)
                live.update(Group(_head(seen), table), refresh=True)
            time.sleep(every_s)
            seen = glance_at(seen.folder)
            if not console.is_terminal:
                over = [t for t in seen.ledger.trials if t.state in OVER and t.number not in told]
                told |= {trial.number for trial in over}
                for trial in over:
                    _say(console, _ended(trial, seen.ledger))
    return seen


def _head(seen: Glance) -> Text:
    return head_text(seen.ledger, seen.running, seen.so_far_s, seen.left_s)


def _ended(trial: Trial, ledger: Ledger) -> str:
    value = "" if trial.objective is None else f"  objective {trial.objective:.4f}"
    trouble = f"  {trial.error}" if trial.error else ""
    done = ledger.count(*ENDED)
    return f"[{done}/{ledger.total}] {trial.name}: {trial.state}{value}{trouble}"


def _show_heading(seen: Glance, console: Console) -> None:
    name = seen.sheet.get("name", seen.folder.name)
    question = seen.sheet.get("question")
    _say(console, f"{name}: {question}" if question else str(name))
    if who := seen.driver:
        since = who.get("since")
        _say(console, f"run by process {who.get('pid')} on {who.get('host')}, since {since}")
        _say(console, f"`lttune report {seen.folder}` writes a report of what there is")


def _show_end(seen: Glance, console: Console) -> None:
    ledger = seen.ledger
    for trial in ledger.trials:
        if trial.state == "failed":
            _say(console, f"failed: {trial.name}: {trial.error}")
    show_answer(seen.folder, console)
    state = "complete" if ledger.complete else "incomplete"
    took = f" in {clock(ledger.wall_s)}" if ledger.wall_s else ""
    _say(console, f"{state}: {ledger.count(*ENDED)} of {ledger.total} trials{took}")
    if not ledger.complete:
        _say(console, f"nobody runs it now; `{seen.sheet.get('command')}` goes on")
    page = seen.folder / "report.html"
    hint = f"report: {page}" if page.exists() else f"`lttune report {seen.folder}` writes a report"
    _say(console, hint)


def _say(console: Console, text: str) -> None:
    """Prints what files say: in one line, without a terminal's controls."""
    console.print(legible(text), markup=False, highlight=False, soft_wrap=True)
