"""Signals before, in and after the training of a study; without Ray, whose part other tests see."""

from __future__ import annotations

import signal
import subprocess

import pytest
from drivers import BRIEF, read_until, script

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]

SIGNALS = {"Ctrl-C": signal.SIGINT, "kill": signal.SIGTERM, "hang-up": signal.SIGHUP}

STARTING = """
import sys, time
from importlib.abc import MetaPathFinder
class Waiting(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == {module!r}:
            print("waiting", flush=True)
            time.sleep(50)
sys.meta_path.insert(0, Waiting())
from digits_study import STUDY, report
from lttune.study.main import main
sys.exit(main(STUDY, report, ""))
"""
"""A study that is stopped while a module is imported."""

IMPORTS, DATASET = "lttune.study.conductor", "sklearn.datasets"

TRAINING = """
import sys, time
from digits_study import STUDY
from lttune.study import conductor
from lttune.study.main import main

def run_trials(*arguments):
    try:
        print("training", flush=True)
        time.sleep(50)
    except KeyboardInterrupt:
        if {dropped}:
            # As where an exception cannot be raised, in a callback from C.
            print("dropped", flush=True)
            time.sleep(50)
        raise

def report(folder):
    print("reporting", flush=True)
    time.sleep(50)

conductor.start_ray = lambda config: dict(CPU=1.0)
conductor.run_trials = run_trials
sys.exit(main(STUDY, report, ""))
"""
"""A study whose trials and whose report take for ever."""


@pytest.mark.parametrize("name", SIGNALS)
def test_a_signal_while_packages_are_imported_is_one_line_and_its_code(name, tmp_path):
    process = script(STARTING.format(module=IMPORTS), cwd=tmp_path)
    read_until(process, "waiting")
    process.send_signal(SIGNALS[name])
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (128 + SIGNALS[name], "lttune: interrupted\n")
    assert out in ("", "digits: loading PyTorch, Ray and MLflow\n")
    assert list(tmp_path.iterdir()) == []


def test_a_signal_while_the_dataset_is_read_is_one_line_and_its_code(tmp_path):
    process = script(STARTING.format(module=DATASET), cwd=tmp_path)
    read_until(process, "waiting")
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (143, "lttune: interrupted\n")
    # What it is doing, by then, in lines of their own.
    assert all(line.startswith("digits: ") for line in out.splitlines())
    assert list(tmp_path.iterdir()) == []


def ignore_hangup() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def test_a_hang_up_that_is_ignored_stays_so(tmp_path):
    process = script(STARTING.format(module=IMPORTS), cwd=tmp_path, preexec_fn=ignore_hangup)
    read_until(process, "waiting")
    process.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 143


@pytest.mark.parametrize("dropped", [False, True])
def test_a_second_signal_ends_a_study_at_once(dropped, tmp_path):
    flags = [*BRIEF, "--out", "out", "--tracking-uri", "sqlite:///mlflow.db"]
    process = script(TRAINING.format(dropped=dropped), *flags, cwd=tmp_path)
    read_until(process, "training")
    process.send_signal(signal.SIGINT)
    # The first one is obeyed as ever: the report is written of what there is.
    read_until(process, "dropped" if dropped else "reporting")
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (143, "lttune: interrupted\n")
    assert not list(tmp_path.glob("out/**/.*.tmp"))


COMMAND = """
import sys, time
import lttune.data
def load(name, folder=None):
    print("loading", flush=True)
    time.sleep(50)
lttune.data.load = load
from lttune.__main__ import main
sys.exit(main())
"""


@pytest.mark.parametrize("name", SIGNALS)
def test_a_signal_ends_a_command_with_one_line_and_its_code(name, tmp_path):
    process = script(COMMAND, "data", "digits", cwd=tmp_path)
    read_until(process, "loading")
    process.send_signal(SIGNALS[name])
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (128 + SIGNALS[name], "")
    told = [line for line in err.splitlines() if not line.startswith("lttune data: ")]
    assert told == ["lttune: interrupted"]
