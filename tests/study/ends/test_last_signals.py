"""Signals to a study that has trained: while Ray ends, the report is written, MLflow is closed."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest
from digits_place import StudyPlace
from drivers import BRIEF, read_until, script

from lttune.store.sealed import read_object

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]

ENDING = """
import os, sys, time
from pathlib import Path
from digits_study import STUDY, report
from lttune.study import conductor
from lttune.study.main import main
from lttune.study.tracking.tracker import Tracker
from one_process import one_process

def waiting(moment, function):
    def waits(*given):
        if moment == {moment!r}:
            print(moment, flush=True)
            while not Path("go").exists():
                time.sleep(0.01)
        return function(*given)
    return waits

class Noted(conductor.Interrupts):
    def __setattr__(self, name, value):
        super().__setattr__(name, value)
        if name == "first" and value:
            # Not print: a handler may come while print flushes.
            os.write(1, b"noted\\n")

conductor.Interrupts = Noted
Tracker.close = waiting("MLflow is closed", Tracker.close)
with one_process():
    conductor.end_ray = waiting("Ray ends", conductor.end_ray)
    sys.exit(main(STUDY, waiting("the report is written", report), ""))
"""
"""A study that has trained, waits at one moment of its end, and says when it noted a signal."""

MOMENTS = {
    "Ray ends": (signal.SIGHUP, "KILLED"),
    "the report is written": (signal.SIGTERM, "KILLED"),
    # What was sent before the signal stays true.
    "MLflow is closed": (signal.SIGINT, "FINISHED"),
}
"""Where a signal comes -> which, and what MLflow then has of the study."""


def study_at(moment: str, root: Path) -> tuple[StudyPlace, subprocess.Popen[str]]:
    place = StudyPlace(root).ready()
    process = script(ENDING.format(moment=moment), *place.flags, *BRIEF, cwd=root)
    read_until(process, moment)
    return place, process


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_signal_after_training_leaves_all_that_a_study_has(moment, tmp_path):
    signum, status = MOMENTS[moment]
    place, process = study_at(moment, tmp_path)
    process.send_signal(signum)
    read_until(process, "noted")
    (tmp_path / "go").touch()
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (128 + signum, "")
    assert "interrupted: every finished network is kept" in out
    assert (place.folder / "report.html").exists()
    assert place.states() == ["complete"]
    assert read_object(place.folder / "trials.json")["wall_s"] > 0
    assert place.statuses() == {None: status, 0: "FINISHED"}


def test_a_second_signal_leaves_the_report_unwritten(tmp_path):
    place, process = study_at("the report is written", tmp_path)
    process.send_signal(signal.SIGTERM)
    # Python handles those that come together in the order of their numbers.
    read_until(process, "noted")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (130, "lttune: interrupted\n")
    assert not (place.folder / "report.html").exists()
    assert read_object(place.folder / "trials.json")["wall_s"] > 0
