"""The lock of who keeps the workers of an on-prem cluster, in a home that two heads may share."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from patience import wait_for

FOLDER = Path(__file__).parents[2] / "studies" / "cluster"
HELD = """
import pathlib, signal, sys, time
sys.path.insert(0, sys.argv[1])
import keep_workers
keep_workers.NAMELESS_S = 0.5
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
with keep_workers.alone(pathlib.Path(sys.argv[2])):
    print("kept", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def keeper(tmp_path) -> Callable[[], subprocess.Popen[str]]:
    """Starts a process that keeps the lock of the test's folder."""

    def start() -> subprocess.Popen[str]:
        words = [sys.executable, "-c", HELD, str(FOLDER), str(tmp_path / "lock")]
        output = subprocess.PIPE
        return subprocess.Popen(words, stdout=output, stderr=output, text=True)

    return start


def test_a_new_keeper_ends_the_one_before_on_this_head(keeper, tmp_path):
    with keeper() as before:
        assert before.stdout is not None
        assert before.stdout.readline() == "kept\n"
        assert f"-{before.pid}-" in (tmp_path / "lock").read_text()
        began = time.monotonic()
        with keeper() as after:
            assert after.stdout is not None
            assert after.stdout.readline() == "kept\n"
            assert before.wait(10) == 0
            assert time.monotonic() - began < 30
            after.terminate()


@pytest.mark.parametrize("number", ["stranger", "own"])
def test_the_keeper_of_another_head_and_who_has_its_number_here_are_left(number, keeper, tmp_path):
    """The lock is the other head's in a home on NFS; its note has another boot's digest."""
    with keeper() as other, subprocess.Popen(["sleep", "60"]) as stranger:
        assert other.stdout is not None
        assert other.stdout.readline() == "kept\n"
        theirs = stranger.pid if number == "stranger" else other.pid
        (tmp_path / "lock").write_text(f"0123abcd-{theirs}-77 head-b\n")
        second = keeper()
        out, err = second.communicate(timeout=60)
        assert (second.returncode, out, err.count("\n")) == (1, "", 1)
        assert "the head head-b keeps its workers with it; make ~/lttune-workers a link" in err
        assert (other.poll(), stranger.poll()) == (None, None)
        other.kill()
        stranger.kill()


@pytest.mark.parametrize("note", ["", "12\n"])
def test_a_lock_that_names_nobody_is_one_line(note, keeper, tmp_path):
    with keeper() as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "kept\n"
        (tmp_path / "lock").write_text(note)
        second = keeper()
        _, err = second.communicate(timeout=60)
        assert (second.returncode, err.count("\n")) == (1, 1)
        assert "does not say who it is: end that" in err
        assert other.poll() is None
        other.kill()


def test_who_has_the_number_of_a_keeper_that_has_ended_is_left(keeper, tmp_path):
    with keeper() as other, subprocess.Popen(["sleep", "60"]) as stranger:
        assert other.stdout is not None
        assert other.stdout.readline() == "kept\n"
        mine, _, host = (tmp_path / "lock").read_text().partition(" ")
        machine = mine.partition("-")[0]
        (tmp_path / "lock").write_text(f"{machine}-{stranger.pid}-1 {host}")
        second = keeper()
        time.sleep(1)
        other.terminate()
        assert second.stdout is not None
        assert second.stdout.readline() == "kept\n"
        wait_for(lambda: other.poll() == 0)
        assert stranger.poll() is None
        second.kill()
        second.wait()
        stranger.kill()
