"""A study as its files show it, to whoever watches it from elsewhere.

Nothing is written, moved or locked: the study may run, may have ended, may be somebody else's.
"""

from __future__ import annotations

import contextlib
import math
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
from lttune.config.output.escaped import escaped_output
from lttune.records.folder import look_at_ledger, read_sheet
from lttune.records.ledger import ENDED, OVER, FollowedLedger, Ledger, Trial
from lttune.records.objectives import objective_text
from lttune.records.provenance import last_command
from lttune.store.formats.followed import Moment, opened_moment
from lttune.store.locks import BEAT_S, NOTE, driver, is_elsewhere
from lttune.store.temporary import UNKNOWN_OWNER_S
from lttune.study.console.outcome import show_answer
from lttune.study.console.printing import say_on
from lttune.study.console.reached import PROGRESS, read_reached
from lttune.study.console.table import clock, going_on, head_text, running_table

QUIET_S = 10 * BEAT_S
"""Seconds for which a driver elsewhere is waited for that changes none of ``CHANGED``: it touches
its note ten times meanwhile, of which a shared file system may show each a minute late."""
CHANGED = (
    *(NOTE, PROGRESS, "study.json", "trials.json", "trials.journal"),
    *("records.parquet", "records.journal"),
)
"""Files that the driver of a study changes while it runs it."""
BETWEEN_LOOKS = 9
"""Times that a look took which pass before the next: to watch takes a tenth of a core at most."""


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
    changed: float
    """When the last of ``CHANGED`` was, in seconds since the epoch; -inf if none is there."""

    @property
    def elsewhere(self) -> str:
        """The driver of which nobody can tell from here whether it lives; empty if there is none.

        It is told by its process and its host.
        """
        who = self.driver
        if who is None or not is_elsewhere(who):
            return ""
        return f"process {who.get('pid')} on {who.get('host')}"

    @property
    def unchanged_s(self) -> float:
        """Seconds since the last change, by the clocks of two machines; inf if there was none."""
        return max(time.time() - self.changed, 0.0)

    @property
    def running(self) -> list[Trial]:
        """The trials under way; those that a killed driver left wait."""
        return self.ledger.running if self.driver is not None else []

    @property
    def so_far_s(self) -> float | None:
        """Seconds since its driver began, by the clocks of two machines; None if it is unknown."""
        try:
            began = datetime.fromisoformat(str((self.driver or {})["since"]))
            return max((datetime.now(UTC) - began).total_seconds(), 0.0)
        except (KeyError, TypeError, ValueError):
            return None


class Looks:
    """One look at a study after the other: what has not changed since the last is not read again.

    Args:
        folder: the study's.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._followed = FollowedLedger(folder / "trials.json")
        self._sheet: Mapping[str, Any] | None = None
        self._sheet_read: Moment | None = None

    def glance(self) -> Glance:
        """Returns what the study's files say now; the ledger of earlier glances goes on with it.

        Raises:
            StorageError: if the folder holds no study, or a file of it cannot be read.
            RefusedError: if a newer lttune wrote it.
        """
        folder = self._folder
        # First of all: what a driver that is gone has written is there now.
        who = driver(folder)
        sheet, ledger = dict[str, Any](), Ledger(path=folder / "trials.json")
        if (folder / "trials.json").exists() or who is None:
            sheet = self._sheet_now()
            ledger = look_at_ledger(self._followed, folder, sheet.get("study_id"))
        reports, left_s = read_reached(folder) if who else ({}, None)
        return Glance(
            folder=folder,
            sheet=sheet,
            ledger=ledger,
            driver=who,
            reports=reports,
            left_s=left_s,
            changed=_last_change(folder),
        )

    def _sheet_now(self) -> Mapping[str, Any]:
        moment = opened_moment(self._folder / "study.json")
        if self._sheet is None or moment is None or moment != self._sheet_read:
            self._sheet = read_sheet(self._folder, ("name", "lottery"))
            self._sheet_read = moment
        return self._sheet


def _last_change(folder: Path) -> float:
    found = -math.inf
    for name in CHANGED:
        with contextlib.suppress(OSError):
            found = max(found, (folder / name).stat().st_mtime)
    return found


class Patience:
    """Tells how long a study is watched whose driver may be gone without a word.

    A driver on another machine, in another container or before a boot of this machine leaves its
    note behind when it is killed. It is waited for until every trial has ended, or until it has
    changed nothing for ``QUIET_S`` while it was watched, or for ``UNKNOWN_OWNER_S`` by the clocks
    of two machines, which may differ.
    """

    def __init__(self) -> None:
        self._changed, self._seen = math.nan, 0.0

    def is_over(self, seen: Glance) -> bool:
        """Returns whether there is nothing more to wait for; it is asked at every look."""
        if not seen.elsewhere:
            return seen.driver is None
        now = time.monotonic()
        if seen.changed != self._changed:
            self._changed, self._seen = seen.changed, now
        has_ended = seen.ledger.total > 0 and seen.ledger.complete
        return has_ended or now - self._seen > QUIET_S or seen.unchanged_s > UNKNOWN_OWNER_S


def watch_study(folder: Path, console: Console, every_s: float) -> int:
    """Shows a study until nobody runs it, then how it ended; returns 0 if it is complete, else 1.

    Where nobody can tell from here whether somebody does, it ends as ``Patience`` says. On a
    terminal it is one display that changes, anywhere else a line for each trial that ends.

    Args:
        folder: the study's.
        console: where to show it.
        every_s: seconds between two looks, more where a look takes long (``BETWEEN_LOOKS``).

    Raises:
        LttuneError: as ``Looks.glance``.
    """
    looks = _PacedLooks(folder, every_s)
    seen = looks.now()
    _show_heading(seen, console)
    if seen.driver is not None:
        seen = _followed(seen, looks, console)
    if not seen.sheet:
        read_sheet(folder)  # Of a study that never began: says so.
    _show_end(seen, console)
    return 0 if seen.ledger.complete else 1


class _PacedLooks:
    """Looks at a study at times."""

    def __init__(self, folder: Path, every_s: float) -> None:
        self._looks, self._every_s, self._took_s = Looks(folder), every_s, 0.0

    def now(self) -> Glance:
        """Returns what a look shows now."""
        began = time.monotonic()
        seen = self._looks.glance()
        self._took_s = time.monotonic() - began
        return seen

    def next(self) -> Glance:
        """Returns what the next look shows, when it is time for it."""
        time.sleep(max(self._every_s, BETWEEN_LOOKS * self._took_s))
        return self.now()


def _followed(seen: Glance, looks: _PacedLooks, console: Console) -> Glance:
    """Shows a study while it runs; returns how it is then."""
    patience = Patience()
    live = Live(console=console, auto_refresh=False, transient=True)
    told = {trial.number for trial in seen.ledger.trials if trial.state in OVER}
    if not console.is_terminal:
        say_on(console, _head(seen).plain)
    nothing = contextlib.nullcontext()
    with (
        live if console.is_terminal else nothing,
        escaped_output() if console.is_terminal else nothing,
    ):
        while not patience.is_over(seen):
            if console.is_terminal:
                base = flatten(seen.sheet.get("lottery", {}))
                table = running_table(seen.running, seen.reports, base, console.width)
                live.update(Group(_head(seen), table), refresh=True)
            seen = looks.next()
            if not console.is_terminal:
                over = [t for t in seen.ledger.trials if t.state in OVER and t.number not in told]
                told |= {trial.number for trial in over}
                for trial in over:
                    say_on(console, _ended(trial, seen.ledger))
    return seen


def _head(seen: Glance) -> Text:
    return head_text(seen.ledger, seen.running, seen.so_far_s, seen.left_s)


def _ended(trial: Trial, ledger: Ledger) -> str:
    value = "" if trial.objective is None else f"  objective {objective_text(trial.objective)}"
    trouble = f"  {trial.error}" if trial.error else ""
    done = ledger.count(*ENDED)
    return f"[{done}/{ledger.total}] {trial.name}: {trial.state}{value}{trouble}"


def _show_heading(seen: Glance, console: Console) -> None:
    name = seen.sheet.get("name", seen.folder.name)
    question = seen.sheet.get("question")
    say_on(console, f"{name}: {question}" if question else str(name))
    if who := seen.driver:
        since = who.get("since")
        say_on(console, f"run by process {who.get('pid')} on {who.get('host')}, since {since}")
        say_on(console, f"`lttune report {seen.folder}` writes a report of what there is")


def _show_end(seen: Glance, console: Console) -> None:
    ledger = seen.ledger
    for trial in ledger.trials:
        if trial.state == "failed":
            say_on(console, f"failed: {trial.name}: {trial.error}")
    show_answer(seen.folder, console)
    state = "complete" if ledger.complete else "incomplete"
    took = f" in {clock(ledger.wall_s)}" if ledger.wall_s else ""
    say_on(console, f"{state}: {ledger.count(*ENDED)} of {ledger.total} trials{took}")
    goes_on = f"{going_on(last_command(seen.sheet))} goes on"
    if who := seen.elsewhere:
        text = f"unchanged for {clock(seen.unchanged_s)}: nobody can tell from here whether {who} "
        text += "still runs it"
        say_on(console, text if ledger.complete else f"{text}; if it does not, {goes_on}")
    elif not ledger.complete:
        say_on(console, f"nobody runs it now; {goes_on}")
    page = seen.folder / "report.html"
    hint = f"report: {page}" if page.exists() else f"`lttune report {seen.folder}` writes a report"
    say_on(console, hint)
