"""The files by which a study that runs is seen from elsewhere: who runs it, what it has reached."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest
from hand_clock import HandClock
from rich.console import Console
from sample_study import runs, trial, write_study

from lttune.store.locks import NOTE, driver, only_driver
from lttune.store.temporary import this_process
from lttune.study.console import reached, watching
from lttune.study.console.reached import PROGRESS, ReachedNote, read_reached
from lttune.study.console.watching import Looks, watch_study

REPORT = {"level": 3, "density": 0.512, "val_accuracy": 0.95, "test_accuracy": 0.9412}


@pytest.fixture
def folder(tmp_path):
    """A study of which one of two trials has ended, and one is under way."""
    trials = [trial(0, controls=[]), trial(3, state="running", objective=None, controls=[])]
    return write_study(tmp_path / "s", [], trials)


def test_a_driver_notes_itself_and_whoever_asks_locks_nothing(tmp_path):
    assert driver(tmp_path) is None
    with only_driver(tmp_path):
        who = driver(tmp_path)
        assert who is not None
        assert (who["pid"], who["process"]) == (os.getpid(), this_process())
    assert driver(tmp_path) is None


def dead_process() -> str:
    code = "from lttune.store.temporary import this_process; print(this_process())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.slow
def test_the_note_of_a_driver_that_was_killed_says_nothing(folder):
    runs(folder, process=dead_process())
    assert driver(folder) is None
    assert Looks(folder).glance().running == []


def test_a_driver_on_another_machine_counts(folder):
    runs(folder, process="0123abcd-1-1")
    assert [one.number for one in Looks(folder).glance().running] == [3]


@pytest.mark.parametrize("note", ["[]", "{", "3", '{"process": 3}', '{"process": "x"}', "{}"])
def test_a_note_of_something_else_names_nobody(folder, note):
    (folder / NOTE).write_text(note)
    assert driver(folder) is None


def test_times_that_are_none_are_not_shown(folder):
    for since in (None, 3, "yesterday", "2026-11-23T08:00:00"):
        runs(folder, since=since)
        assert Looks(folder).glance().so_far_s is None


# What trials under way have reached.


def test_what_is_reached_is_noted_for_others_at_most_once_a_second(tmp_path, monkeypatch):
    note = ReachedNote(tmp_path)
    note.write({3: REPORT | {"rows": [1, 2]}}, lambda: 12.5)
    note.write({3: REPORT | {"level": 4}}, lambda: 1.0)
    assert read_reached(tmp_path) == ({3: REPORT}, 12.5)
    monkeypatch.setattr(reached, "NOTED_EACH_S", 0.0)
    note.write({3: REPORT | {"level": 4}}, lambda: None)
    assert read_reached(tmp_path) == ({3: REPORT | {"level": 4}}, None)
    note.remove()
    note.remove()
    assert list(tmp_path.iterdir()) == []
    assert read_reached(tmp_path) == ({}, None)


def test_a_note_that_cannot_be_written_stops_nobody(tmp_path):
    note = ReachedNote(tmp_path / "gone")
    note.write({3: REPORT}, lambda: 1.0)
    note.remove()


@pytest.mark.parametrize(
    "found",
    [
        "{",
        "[]",
        '{"trials": []}',
        '{"trials": {"x": {}}, "left_s": null}',
        '{"trials": {"3": {"level": "3"}}, "left_s": -1}',
        '{"trials": {"3": 1}, "left_s": "soon"}',
    ],
)
def test_a_file_of_something_else_has_nothing_reached(tmp_path, found):
    (tmp_path / PROGRESS).write_text(found)
    assert read_reached(tmp_path) == ({}, None)


def test_a_look_that_takes_long_is_followed_by_a_longer_pause(folder, monkeypatch):
    runs(folder)
    pauses, glance = [], watching.Looks.glance

    class Clock(HandClock):
        def sleep(self, seconds):
            pauses.append(seconds)
            if len(pauses) == 2:
                (folder / NOTE).unlink()

    clock, takes = Clock(), iter([5.0, 0.01, 0.0])
    monkeypatch.setattr(watching, "time", clock)

    def slow(self):
        clock.now += next(takes)
        return glance(self)

    monkeypatch.setattr(watching.Looks, "glance", slow)
    assert watch_study(folder, Console(file=io.StringIO()), 2.0) == 1
    assert pauses == [45.0, 2.0]
