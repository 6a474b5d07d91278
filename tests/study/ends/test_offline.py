"""A study on one machine needs no network: in a namespace that has none, all is as ever."""

from __future__ import annotations

import shutil
import subprocess
import sys

import digits_study
import pytest
from digits_place import StudyPlace
from drivers import BRIEF

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

ALONE = """
import fcntl, os, socket, struct, sys
with socket.socket() as one:
    fcntl.ioctl(one, 0x8914, struct.pack("16sh", b"lo", 1))  # SIOCSIFFLAGS: the loopback is up.
    try:
        one.settimeout(3)
        one.connect(("192.0.2.1", 80))
    except OSError:
        os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
sys.exit("there is a network")
"""
"""Brings the loopback address up, sees that nothing else is there, and goes on as a script."""


def alone(*words: str) -> list[str]:
    return ["unshare", "--user", "--map-root-user", "--net", sys.executable, "-c", ALONE, *words]


@pytest.fixture
def namespaces():
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare of util-linux")
    done = subprocess.run(alone("-c", "0"), capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"needs namespaces of a user: {done.stderr.strip()}")


def test_a_study_needs_no_network(namespaces, tmp_path):
    place = StudyPlace(tmp_path).ready()
    words = alone(digits_study.__file__, *place.flags, *BRIEF)
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "complete: 1 of 1 trials" in done.stdout
    assert place.states() == ["complete"]
    assert set(place.statuses().values()) == {"FINISHED"}
