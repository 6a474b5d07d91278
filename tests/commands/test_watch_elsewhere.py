"""``lttune watch`` of a study whose driver is or was where nobody can see from here if it lives."""

from __future__ import annotations

import io
import os
import re
import socket
import time
from pathlib import Path

import pytest
from hand_clock import HandClock
from rich.console import Console
from sample_study import runs, trial, write_study

from lttune.errors import StorageError
from lttune.records.ledger import Ledger
from lttune.store import locks
from lttune.store.locks import NOTE, driver, only_driver
from lttune.store.plain_json import read_json, write_json
from lttune.store.temporary import UNKNOWN_OWNER_S, this_boot
from lttune.study.console import watching
from lttune.study.console.watching import CHANGED, QUIET_S, Looks, watch_study

ELSEWHERE = {"host": "node-17", "pid": 7, "process": "deadbeef-7-1"}
WHO = "process 7 on node-17"

pytestmark = pytest.mark.timeout(60)


def study(folder: Path, *states: str) -> Path:
    trials = [
        trial(n, state=s, controls=[], objective=0.9 if s == "complete" else None)
        for n, s in enumerate(states)
    ]
    made = write_study(folder, [], trials, {"anchor": len(states)}, command="python s.py")
    runs(made, **ELSEWHERE)
    return made


def aged(folder: Path, seconds: float) -> None:
    """Lets every file of a study be as old as that."""
    for path in folder.iterdir():
        os.utime(path, (time.time() - seconds,) * 2)


def watched(folder: Path) -> tuple[int, list[str]]:
    console = Console(file=io.StringIO(), width=200, color_system=None)
    code = watch_study(folder, console, 0.001)
    return code, console.file.getvalue().splitlines()


class PassingClock(HandClock):
    """A clock on which looks take time: a minute passes at each ``sleep``, or what is set."""

    step_s = 60.0

    def __init__(self) -> None:
        self.looks = 0

    def time(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        self.now += self.step_s
        self.looks += 1


@pytest.fixture
def clock(monkeypatch) -> PassingClock:
    made = PassingClock()
    monkeypatch.setattr(watching, "time", made)
    return made


def test_a_study_that_is_complete_is_not_waited_for(tmp_path):
    """Its driver died after the last trial, or is at the report still: nobody can tell."""
    code, lines = watched(study(tmp_path / "s", "complete", "complete"))
    assert code == 0
    assert lines[-3] == "complete: 2 of 2 trials"
    assert re.fullmatch(
        rf"unchanged for \d+ s: nobody can tell from here whether {re.escape(WHO)} still runs it",
        lines[-2],
    )


def test_a_study_that_has_long_not_changed_is_not_waited_for(tmp_path):
    folder = study(tmp_path / "s", "complete", "running")
    aged(folder, 7200.0)
    code, lines = watched(folder)
    assert code == 1
    assert lines[-3:-1] == [
        "incomplete: 1 of 2 trials",
        f"unchanged for 2 h 00 min: nobody can tell from here whether {WHO} still runs it; if it "
        "does not, `python s.py` goes on",
    ]


def test_a_study_that_does_not_change_while_it_is_watched_is_waited_for_ten_minutes(
    tmp_path, clock
):
    code, lines = watched(study(tmp_path / "s", "complete", "running"))
    assert code == 1
    assert f"nobody can tell from here whether {WHO} still runs it" in lines[-2]
    assert clock.looks == QUIET_S / 60 + 1 == 11


@pytest.mark.parametrize("name", CHANGED)
def test_whoever_changes_a_file_of_it_is_waited_for(tmp_path, clock, name):
    folder = study(tmp_path / "s", "complete", "running")
    ends = 40

    def sleep(seconds: float) -> None:
        clock.now += 60.0
        clock.looks += 1
        if clock.looks % 5 == 0:
            if not (folder / name).exists():
                (folder / name).write_text("{}")
            os.utime(folder / name, (time.time() + clock.looks,) * 2)
        if clock.looks == ends:
            (folder / NOTE).unlink()

    clock.sleep = sleep
    code, lines = watched(folder)
    assert (code, clock.looks) == (1, ends)
    assert lines[-2] == "nobody runs it now; `python s.py` goes on"


def test_a_driver_elsewhere_that_ends_is_seen_to(tmp_path, clock):
    folder = study(tmp_path / "s", "complete", "running")

    def sleep(seconds: float) -> None:
        clock.looks += 1
        ledger = Ledger.open(folder / "trials.json")
        ledger.trials[1].state = "complete"
        ledger.save()
        (folder / NOTE).unlink()

    clock.sleep = sleep
    code, lines = watched(folder)
    assert (code, clock.looks) == (0, 1)
    assert lines[-2] == "complete: 2 of 2 trials"
    assert "nobody can tell" not in "\n".join(lines)


def test_a_driver_elsewhere_that_wrote_nothing_leaves_no_study(tmp_path):
    runs(tmp_path, **ELSEWHERE)
    aged(tmp_path, UNKNOWN_OWNER_S + 60)
    with pytest.raises(StorageError, match=r"is no study: it has no study\.json"):
        watched(tmp_path)


# Whether a driver is known to be dead.


@pytest.mark.parametrize(
    ("host", "touched_s", "is_dead"), [("this", -60, True), ("this", 60, False), ("x", -60, False)]
)
def test_a_driver_of_this_host_before_it_began_is_dead(
    tmp_path, monkeypatch, host, touched_s, is_dead
):
    """The process may be of another container here, or of another machine of the same name."""
    folder = study(tmp_path / "s", "complete", "running")
    name = socket.gethostname() if host == "this" else host
    runs(folder, **{**ELSEWHERE, "host": name})
    monkeypatch.setattr(locks, "began_at", lambda: time.time() - 3600)
    os.utime(folder / NOTE, (time.time() - 3600 + touched_s,) * 2)
    assert (driver(folder) is None) is is_dead
    assert bool(Looks(folder).glance().elsewhere) is not is_dead


@pytest.mark.skipif(not this_boot(), reason="other systems do not tell it")
def test_a_driver_in_another_container_of_this_boot_counts_whatever_the_disks_clock_says(tmp_path):
    """The folder is a server's, whose clock is behind: nothing there is as young as this boot."""
    folder = study(tmp_path / "s", "complete", "running")
    runs(folder, **{**ELSEWHERE, "host": socket.gethostname(), "boot": this_boot()})
    os.utime(folder / NOTE, (1.0, 1.0))
    assert driver(folder) is not None
    with only_driver(tmp_path):
        assert read_json(tmp_path / NOTE)["boot"] == this_boot()


def test_this_machine_began_before_this_process():
    began = locks.began_at()
    assert began < time.time()
    if hasattr(time, "CLOCK_BOOTTIME"):
        assert began > 0


def test_a_driver_shows_that_it_lives(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "BEAT_S", 0.01)
    with only_driver(tmp_path):
        os.utime(tmp_path / NOTE, (1.0, 1.0))
        end = time.monotonic() + 30
        while (tmp_path / NOTE).stat().st_mtime == 1.0:
            assert time.monotonic() < end, "nobody touched it"
            time.sleep(0.005)
    write_json(tmp_path / NOTE, {})
    os.utime(tmp_path / NOTE, (1.0, 1.0))
    time.sleep(0.05)
    assert (tmp_path / NOTE).stat().st_mtime == 1.0
