"""A study whose terminal or reader goes away trains on, and ends as it would have."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

import pytest
from digits_place import StudyPlace, lasting
from drivers import BRIEF, WITHOUT_RAY, script
from one_process import one_process

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

PLANNED = """
import sys
from digits_study import STUDY, report
from lttune.study.main import main
sys.exit(main(STUDY, report, ""))
"""


@pytest.fixture(scope="module")
def reference(tmp_path_factory) -> StudyPlace:
    place = StudyPlace(tmp_path_factory.mktemp("reference"))
    with one_process():
        place.run(*BRIEF)
    assert place.exit_code == 0
    return place


def same(place: StudyPlace, reference: StudyPlace) -> bool:
    rows = lasting(place.rows())
    return len(rows) == 5 and rows == lasting(reference.rows())


def close_outputs() -> None:
    os.close(1)
    os.close(2)


@pytest.mark.parametrize("closed", [False, True], ids=["a pipe without a reader", "no output"])
def test_a_study_needs_nobody_who_reads(closed, reference, tmp_path):
    place = StudyPlace(tmp_path).ready()
    reading, writing = os.pipe()
    os.close(reading)
    options = {"preexec_fn": close_outputs} if closed else {}
    flags = (*place.flags, *BRIEF)
    process = script(WITHOUT_RAY, *flags, stdout=writing, stderr=writing, cwd=tmp_path, **options)
    os.close(writing)
    assert process.wait(timeout=100) == 0
    assert same(place, reference)


def test_a_study_goes_on_when_its_terminal_is_closed(reference, tmp_path):
    place = StudyPlace(tmp_path).ready()
    screen, terminal = pty.openpty()
    flags = (*place.flags, *BRIEF)
    process = script(WITHOUT_RAY, *flags, stdout=terminal, stderr=terminal, cwd=tmp_path)
    os.close(terminal)
    # The first it draws; it is no session's terminal, so that nobody is told that it was hung up.
    os.read(screen, 1)
    os.close(screen)
    assert process.wait(timeout=100) == 0
    assert same(place, reference)


def test_what_a_study_only_prints_ends_without_a_word(tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    flags = ("--plan", "--out", str(tmp_path / "out"))
    process = script(PLANNED, *flags, stdout=writing, stderr=subprocess.PIPE, cwd=tmp_path)
    os.close(writing)
    _, err = process.communicate(timeout=100)
    assert (process.returncode, err) == (141, "")
    assert list(tmp_path.iterdir()) == []


def private() -> None:
    os.umask(0o077)


def test_a_study_is_the_same_in_any_environment(reference, tmp_path):
    place = StudyPlace(tmp_path).ready()
    foreign = {"PYTHONHASHSEED": "7", "LC_ALL": "tr_TR.ISO-8859-9", "PYTHONIOENCODING": "iso8859-9"}
    flags = (*place.flags, *BRIEF)
    process = script(WITHOUT_RAY, *flags, cwd=tmp_path, env=foreign, preexec_fn=private)
    _, err = process.communicate(timeout=100)
    assert (process.returncode, err) == (0, "")
    assert same(place, reference)
    assert {path for path in (tmp_path / "out").rglob("*") if open_to_others(path)} == set()


def open_to_others(path: Path) -> bool:
    return bool(path.stat().st_mode & 0o077)


def test_a_folder_that_is_gone_is_one_line(tmp_path, monkeypatch):
    place, gone = StudyPlace(tmp_path).ready(), tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    place.run(*BRIEF)
    line = "lttune: error: the folder that this was started in has been deleted: change to another"
    assert (place.exit_code, place.printed) == (74, f"{line} one\n")
    assert not (tmp_path / "out").exists()
