"""Who ends what a killed driver started: all of it, at any time, and nobody else's."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
from collections.abc import Callable, Iterator

import psutil
import pytest
from drivers import script

from lttune.errors import ResourceError
from lttune.study.workers.guardian import children_guarded

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]

STARTS = """
import subprocess, sys
from lttune.study.workers.guardian import children_guarded
with children_guarded():
    # Of the second neither a group of processes nor a parent says whose it is; of the third neither
    # a session nor a parent.
    null = subprocess.DEVNULL
    quiet = {"stdout": null, "stderr": null}
    child = subprocess.Popen(["sleep", "100"], start_new_session=True, **quiet)
    orphans = ["setsid sleep 100", "sleep 100"]
    pids = [child.pid]
    for command in orphans:
        made = ["sh", "-c", command + " > /dev/null 2>&1 & echo $!"]
        pids.append(int(subprocess.run(made, capture_output=True, check=True).stdout))
    print(*pids, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def start() -> Iterator[Callable[[], tuple[subprocess.Popen[str], list[psutil.Process]]]]:
    """Starts a driver; returns it and the processes that it started."""
    all_processes: list[psutil.Process] = []

    def run() -> tuple[subprocess.Popen[str], list[psutil.Process]]:
        driver = script(STARTS, stdin=subprocess.PIPE)
        assert driver.stdout
        started = [psutil.Process(int(pid)) for pid in driver.stdout.readline().split()]
        assert len(started) == 3
        all_processes.extend([psutil.Process(driver.pid), *started])
        return driver, started

    yield run
    for one in all_processes:
        if one.is_running():
            one.kill()


def test_a_killed_drivers_processes_end_and_no_others(start):
    (driver, mine), (other, others) = start(), start()
    driver.send_signal(signal.SIGKILL)
    _, alive = psutil.wait_procs(mine, timeout=3)
    assert alive == []
    assert driver.wait(timeout=10) == -signal.SIGKILL
    assert all(one.is_running() for one in others)
    assert other.poll() is None
    other.send_signal(signal.SIGKILL)
    assert psutil.wait_procs(others, timeout=3)[1] == []


def test_a_driver_that_ends_by_itself_ends_nobody(start):
    driver, mine = start()
    (guardian,) = [one for one in psutil.Process(driver.pid).children() if one.pid != mine[0].pid]
    driver.communicate(timeout=10)
    assert driver.returncode == 0
    assert not guardian.is_running()
    assert all(one.is_running() for one in mine)


def test_a_guardian_that_cannot_be_started_is_one_line(monkeypatch):
    def full(*arguments: object, **options: object) -> None:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    before = dict(os.environ)
    monkeypatch.setattr(subprocess, "Popen", full)
    told = "^no process can be started on this machine: Resource temporarily unavailable$"
    with pytest.raises(ResourceError, match=told), children_guarded():
        raise AssertionError("it went on without")
    assert os.environ == before


def test_the_environment_is_afterwards_what_it_was(monkeypatch):
    monkeypatch.setenv("LTTUNE_DRIVER", "of another one")
    monkeypatch.delenv("SPT_NOENV", raising=False)
    before = dict(os.environ)
    with children_guarded():
        assert os.environ["LTTUNE_DRIVER"] != "of another one"
        assert os.environ["SPT_NOENV"] == "1"
    assert os.environ == before
