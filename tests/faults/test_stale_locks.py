"""What a killed driver leaves of its lock keeps nobody out; one that lives keeps out everybody."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from drivers import script

from lttune.errors import LockedError
from lttune.store.locks import NOTE, only_driver
from lttune.store.plain_json import read_json, write_json

pytestmark = pytest.mark.timeout(60)

HOLDS = """
import subprocess, sys, time
from pathlib import Path
from lttune.store.locks import only_driver
with only_driver(Path(sys.argv[1])):
    null = subprocess.DEVNULL
    child = subprocess.Popen(["sleep", "100"], stdout=null, stderr=null)
    print(child.pid, flush=True)
    time.sleep(100)
"""
"""A driver that holds the lock, and a process of its that outlives it."""


@pytest.fixture
def holder(tmp_path) -> Iterator[tuple[subprocess.Popen[str], psutil.Process]]:
    driver = script(HOLDS, str(tmp_path))
    assert driver.stdout
    child = psutil.Process(int(driver.stdout.readline()))
    yield driver, child
    for one in (driver, child):
        one.kill()
    driver.communicate()


def taken(folder: Path) -> dict[str, object]:
    """Takes the lock; returns the note that it then has."""
    with only_driver(folder):
        return read_json(folder / NOTE)


def mine() -> tuple[int, str]:
    return os.getpid(), socket.gethostname()


def test_the_lock_of_a_killed_driver_is_free_at_once_also_while_its_child_lives(tmp_path, holder):
    driver, child = holder
    with pytest.raises(LockedError, match=f"process {driver.pid} on {socket.gethostname()}, since"):
        taken(tmp_path)
    driver.send_signal(signal.SIGKILL)
    driver.wait(timeout=10)
    assert child.is_running()
    assert read_json(tmp_path / NOTE)["pid"] == driver.pid
    note = taken(tmp_path)
    assert (note["pid"], note["host"]) == mine()
    assert not (tmp_path / NOTE).exists()


@pytest.mark.parametrize("host", ["this", "another"])
def test_a_note_keeps_nobody_out(host, tmp_path):
    """Its process may be one that got the number later, or be of a machine that is gone."""
    pid, here = mine()
    name = here if host == "this" else f"not-{here}"
    write_json(tmp_path / NOTE, {"pid": pid, "host": name, "since": "2026-01-01T00:00:00+00:00"})
    note = taken(tmp_path)
    assert (note["pid"], note["host"]) == mine()
    assert note["since"] != "2026-01-01T00:00:00+00:00"


def test_a_lock_that_is_held_on_another_machine_names_it(tmp_path, holder):
    note = {"pid": 7, "host": "node-17", "since": "2026-01-01T00:00:00+00:00"}
    write_json(tmp_path / NOTE, note)
    with pytest.raises(LockedError, match="process 7 on node-17, since 2026-01-01T00:00:00"):
        taken(tmp_path)
    assert read_json(tmp_path / NOTE) == note
