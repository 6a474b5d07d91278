"""What is computed at once in processes of its own, and what a report imports."""

from __future__ import annotations

import logging
import operator
import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from analysis.processes import Processes, in_turn

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_what_calls_return_comes_in_their_order(count, caplog):
    calls = [partial(time.sleep, 0.3), *(partial(operator.mul, 2, n) for n in range(5))]
    with caplog.at_level(logging.INFO), Processes(count) as processes:
        assert processes.all(calls, "twice") == in_turn(calls) == [None, 0, 2, 4, 6, 8]
    assert [one.getMessage() for one in caplog.records][::5] == ["twice (1 of 6)", "twice (6 of 6)"]


def test_others_than_this_one_compute_with_one_thread_each():
    with Processes(2) as processes:
        found = processes.all([partial(os.getpid)] * 6, "numbers")
        threads = processes.all([partial(os.getenv, "OMP_NUM_THREADS")] * 2, "threads")
    assert os.getpid() not in found
    assert len({*found}) <= 2
    assert threads == ["1", "1"]
    for number in {*found}:
        with pytest.raises(ProcessLookupError):
            os.kill(number, 0)


def test_what_one_raises_is_raised():
    with pytest.raises(ZeroDivisionError), Processes(2) as processes:
        processes.all([partial(operator.truediv, 1, n) for n in (1, 0, 2)], "quotients")


def test_what_a_process_that_is_killed_had_to_do_is_done_here():
    me, os_ = os.getpid(), "__import__('os')"
    ends = f"{os_}.getpid() if {os_}.getpid() == {me} else {os_}.kill({os_}.getpid(), 9)"
    with Processes(2) as processes:
        assert processes.all([partial(eval, ends)] * 3, "numbers") == [me] * 3
        assert processes.all([partial(operator.add, 1, n) for n in range(3)], "sums") == [1, 2, 3]


def test_where_none_can_be_started_all_is_computed_here(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with Processes(2) as processes:
        assert processes.all([partial(os.getpid)] * 2, "numbers") == [os.getpid()] * 2


def test_who_is_interrupted_waits_for_none():
    began = time.monotonic()
    # Tests that are started in the background are to ignore it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        threading.Timer(1.0, os.kill, [os.getpid(), signal.SIGINT]).start()
        with pytest.raises(KeyboardInterrupt), Processes(2) as processes:
            processes.all([partial(time.sleep, 30)] * 2, "naps")
    finally:
        signal.signal(signal.SIGINT, before)
    assert time.monotonic() - began < 15


@pytest.mark.parametrize(
    ("module", "unneeded"),
    [
        ("analysis", ("matplotlib", "sklearn", "pandas", "scipy", "pyarrow", "numpy")),
        ("analysis.report.write, analysis.claims", ("sklearn", "scipy.stats", "torch", "ray")),
    ],
)
def test_what_takes_seconds_to_import_waits_until_it_is_needed(module, unneeded):
    code = f"import sys, {module}; print([name for name in {unneeded} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"
