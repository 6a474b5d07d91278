"""A slow command says what it is doing; a quick one says nothing."""

from __future__ import annotations

import contextlib
import io
import logging
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import digits_study
import pytest
import stored_study
from patience import wait_for
from sample_study import write_study

from lttune.__main__ import main
from lttune.config.output import steps
from lttune.config.output.steps import steps_shown

ROOT = Path(__file__).parents[2]
STEP = logging.getLogger("analysis.some.module")


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    monkeypatch.setattr(steps, "FIRST_STEP_S", 0.02)
    monkeypatch.setattr(steps, "NEXT_STEP_S", 0.01)


@pytest.fixture
def printed() -> io.StringIO:
    return io.StringIO()


@contextlib.contextmanager
def shown(file: io.StringIO, command: str, first: str) -> Iterator[None]:
    with contextlib.redirect_stderr(file), steps_shown(command, first):
        yield


def test_each_step_is_a_line(printed):
    with shown(printed, "lttune report", "at work"):
        wait_for(lambda: "at work" in printed.getvalue())
        STEP.info("drawing %s", "search\x1b[2J")
        wait_for(lambda: "drawing" in printed.getvalue())
        STEP.debug("a detail")
        logging.getLogger("another.library").info("nothing of ours")
        time.sleep(0.05)
    lines = ["lttune report: at work", "lttune report: drawing search\\x1b[2J"]
    assert printed.getvalue().splitlines() == lines


def test_a_quick_command_prints_nothing(printed, monkeypatch):
    monkeypatch.setattr(steps, "FIRST_STEP_S", 3600.0)
    with shown(printed, "lttune report", "at work"):
        STEP.info("reading the study")
    assert printed.getvalue() == ""


def test_a_step_that_goes_on_is_told_again_and_how_long_it_takes(printed, monkeypatch):
    monkeypatch.setattr(steps, "STILL_S", 0.03)
    with shown(printed, "lttune sync", "at work"):
        wait_for(lambda: printed.getvalue().count("\n") >= 2)
    first, second = printed.getvalue().splitlines()[:2]
    assert first == "lttune sync: at work"
    assert re.fullmatch(r"lttune sync: at work \(\d+ s so far\)", second)


def test_an_empty_step_speaks_for_itself(printed, monkeypatch):
    monkeypatch.setattr(steps, "STILL_S", 0.0)
    with shown(printed, "my-study", "starting Ray"):
        wait_for(lambda: "starting Ray" in printed.getvalue())
        STEP.info("")
        time.sleep(0.3)  # A line may be under way.
        before = printed.getvalue()
        time.sleep(0.05)
        assert printed.getvalue() == before


def test_afterwards_the_logs_are_as_they_were(printed):
    loggers = [logging.getLogger(name) for name in ("lttune", "analysis")]
    before = [(one.level, one.propagate, list(one.handlers)) for one in loggers]
    with pytest.raises(ZeroDivisionError), shown(printed, "x", "at work"):
        raise ZeroDivisionError
    assert [(one.level, one.propagate, list(one.handlers)) for one in loggers] == before


def test_a_handler_of_the_root_prints_no_step_a_second_time(printed):
    handler = logging.StreamHandler(printed)
    logging.getLogger().addHandler(handler)
    try:
        with shown(printed, "x", ""):
            STEP.info("once")
            wait_for(lambda: "once" in printed.getvalue())
    finally:
        logging.getLogger().removeHandler(handler)
    assert printed.getvalue() == "x: once\n"


def test_a_warning_is_printed_at_once_and_is_no_step(printed):
    with shown(printed, "x", ""):
        STEP.warning("every process compiles")
        assert printed.getvalue() == "every process compiles\n"


def test_a_reader_that_has_gone_is_no_error(printed, monkeypatch):
    failed = list[threading.ExceptHookArgs]()
    monkeypatch.setattr(threading, "excepthook", failed.append)
    printed.close()
    with shown(printed, "x", "at work"):
        time.sleep(0.1)
    assert failed == []


@pytest.mark.slow
def test_a_study_speaks_before_what_it_needs_is_loaded(tmp_path):
    words = [sys.executable, digits_study.__file__, "--plan", "--out", str(tmp_path)]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "digits: loading PyTorch, Ray and MLflow"
    assert any(line.startswith("engine: ") for line in lines[1:])


@pytest.mark.slow
def test_a_report_speaks_before_what_it_needs_is_loaded_and_prints_its_path_alone(tmp_path):
    folder = write_study(tmp_path / "s")
    words = [sys.executable, "-m", "analysis.report", str(folder)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"{folder / 'report.html'}\n")
    lines = done.stderr.splitlines()
    assert lines[0] in (
        "lttune report: at work",
        "lttune report: loading the packages of the report",
    )
    assert all(line.startswith("lttune report: ") for line in lines)


def test_long_commands_tell_their_steps(tmp_path, caplog, monkeypatch):
    """What ``steps_shown`` prints is what they log."""
    caplog.set_level(logging.INFO)
    folder = stored_study.make(tmp_path / "results")
    (folder / "records.parquet").unlink()
    assert main(["doctor", str(folder), "--repair"]) == 0
    assert main(["transfer", str(folder), "--steps", "20", "--replicates", "1"]) == 0
    assert main(["report", str(folder)]) == 0
    told = [record.getMessage() for record in caplog.records]
    assert "making the rows of trial 0 (1 of 1)" in told
    assert "1 of 4 networks are trained" in told
    assert "4 of 4 networks are trained" in told
    assert "reading the study" in told
    assert any(text.startswith("drawing accuracy (section 2 of ") for text in told)
