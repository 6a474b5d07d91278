"""The processes of a study on one machine: whom they listen to, and how long they live."""

from __future__ import annotations

import os
import signal
import time
from ipaddress import ip_address
from pathlib import Path

import psutil
import pytest
from digits_place import StudyPlace
from drivers import BRIEF, Driver, listening, script
from one_process import one_process

from lttune.store.temporary import DRAFTS, temporary_beside

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

LONG = ("--lottery.train.steps=24000", "--lottery.train.eval-every=2400", "--lottery.levels=3")

CALLED = """
import sys
from digits_study import STUDY, report
from lttune import run
from lttune.errors import LttuneError

def call():
    found = run(STUDY, report, scale="smoke", phases=("anchor",), replicates=1,
        controls=("random",), max_concurrent=1, out=sys.argv[1], tracking_uri=sys.argv[2],
        lottery={"train.steps": 24000, "train.eval_every": 2400, "levels": 3})
    return found.complete

try:
    call()
except LttuneError as error:
    print("raised", type(error).__name__, error)
print("again", call())
"""
"""What a notebook does: it runs a study, is told that its Ray died, and runs it again."""


@pytest.fixture
def place(tmp_path) -> StudyPlace:
    return StudyPlace(tmp_path).ready()


def left_by(pid: int, path: Path) -> Path:
    """Leaves what a process that was killed was writing beside a path; returns it."""
    left = temporary_beside(path)
    left = left.with_name(left.name.replace(f"-{os.getpid()}-", f"-{pid}-"))
    left.parent.mkdir(exist_ok=True)
    left.touch()
    return left


def is_loopback(address: str) -> bool:
    found = ip_address(address)
    # An address of the old kind in the clothes of the new one.
    return (getattr(found, "ipv4_mapped", None) or found).is_loopback


def test_a_killed_driver_leaves_no_process_and_the_next_run_removes_the_rest(place, cwd):
    flags = [*place.flags, *BRIEF, *LONG]
    driver = Driver(flags, cwd, home=place.root)
    driver.wait_for(lambda: bool(place.cells()))

    family = [psutil.Process(driver.process.pid), *driver.family()]
    names = {one.name() for one in family}
    assert {"raylet", "gcs_server"} <= names
    assert any(name.startswith("ray::") for name in names)
    # Nobody on another machine can reach them.
    found = list(listening(family))
    assert len(found) > 3
    assert [socket for socket in found if not is_loopback(socket[1])] == []

    code, _, err = driver.stop(os.kill, signal.SIGKILL, within_s=10)
    assert (code, err) == (-signal.SIGKILL, "")
    before = place.cells()
    assert (place.folder / "ray").exists()
    beside = [place.folder / "trials.json", place.folder / "figures" / "x.svg"]
    store = place.root / "out" / "cells"
    beside += [store / "mark", store / DRAFTS / "cell"]
    left = [left_by(driver.process.pid, path) for path in beside]
    with one_process():
        place.run(*BRIEF, *LONG)
    assert (place.exit_code, place.states()) == (0, ["complete"])
    assert {key: place.cells()[key] for key in before} == before
    assert len(place.cells()) == 7
    assert [path for path in left if path.exists()] == []
    assert not (place.folder / "ray").exists()


@pytest.mark.parametrize("name", ["gcs_server", "raylet", "an agent"])
def test_a_driver_that_is_killed_while_ray_starts_leaves_no_process(name, place, cwd):
    driver = Driver([*place.flags, *BRIEF], cwd, home=place.root)

    def is_there() -> bool:
        if name == "an agent":
            return any(one.children() for one in driver.named("raylet"))
        return bool(driver.named(name))

    driver.wait_for(is_there)
    code, _, err = driver.stop(os.kill, signal.SIGKILL, within_s=6)
    assert (code, err) == (-signal.SIGKILL, "")
    # Nor one that was started just then.
    found = [one for one in psutil.process_iter(["environ", "cmdline"]) if one.info["environ"]]
    home = str(place.root)
    assert [one.info["cmdline"] for one in found if one.info["environ"].get("HOME") == home] == []
    assert place.states() == ["waiting"]


def test_a_driver_that_is_asked_to_end_while_ray_starts_says_so(place, cwd):
    driver = Driver([*place.flags, *BRIEF], cwd, home=place.root)
    driver.wait_for(lambda: bool(driver.named("gcs_server")))
    code, out, err = driver.stop(os.kill, signal.SIGTERM)
    assert (code, err) == (143, "")
    assert "interrupted: every finished network is kept" in out
    assert place.states() == ["waiting"]
    assert not (place.folder / "ray").exists()


@pytest.mark.parametrize("name", ["raylet", "gcs_server"])
def test_a_study_whose_ray_dies_ends_and_goes_on_when_it_is_run_again(name, place, cwd):
    driver = Driver([*place.flags, *BRIEF, *LONG], cwd, home=place.root)
    driver.wait_for(lambda: bool(place.cells()))
    (vital,) = driver.named(name)
    code, out, err = driver.stop(lambda pid, signum: vital.send_signal(signum), signal.SIGKILL)
    text = f"Ray's {name} has died; run the same command again to go on where it stopped"
    assert (code, err) == (5, f"lttune: error: {text}\n"), out
    before = place.cells()
    with one_process():
        place.run(*BRIEF, *LONG)
    assert (place.exit_code, place.states()) == (0, ["complete"])
    assert {key: place.cells()[key] for key in before} == before


@pytest.mark.parametrize("name", ["raylet", "gcs_server"])
def test_who_runs_a_study_from_python_outlives_its_ray(name, place, cwd):
    caller = script(
        CALLED, str(place.root / "out"), place.uri, cwd=cwd, env={"HOME": str(place.root)}
    )
    try:
        while not place.cells():
            assert caller.poll() is None, caller.communicate()
            time.sleep(0.02)
        before = place.cells()
        family = psutil.Process(caller.pid).children(recursive=True)
        (vital,) = [one for one in family if one.name() == name]
        vital.kill()
        out, err = caller.communicate(timeout=180)
    finally:
        caller.kill()
    text = f"raised ResourceError Ray's {name} has died; run it again to go on where it stopped"
    assert text in out.splitlines(), err
    assert out.splitlines()[-1] == "again True", err
    assert (caller.returncode, place.states()) == (0, ["complete"])
    assert {key: place.cells()[key] for key in before} == before
