"""The launch of studies/cluster/README.md for real: a laptop and three nodes of a cluster.

One of the nodes is cut off in the middle. Takes a quarter of an hour and rights: `make hosts`.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import launched
import no_locks
import psutil
import pytest
from digits_place import lasting
from hosts import Host, HostNetwork, lacking, network
from launch import LONGER, Launch, timed, until

from lttune.data import load
from lttune.records.schema import read
from lttune.records.tables import Row

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(2400),
    pytest.mark.skipif("LTTUNE_HOSTS" not in os.environ, reason="takes 15 minutes: make hosts"),
]
AGAIN = "--name again --seed 1 --phases design"
STUDY = "lenet-sensitivity-smoke"


@pytest.fixture(scope="module")
def fetched(tmp_path_factory) -> Path:
    """What nodes need more than tests do."""
    if reason := lacking():
        pytest.skip(reason)
    load("mnist")  # The nodes cannot fetch it.
    try:
        with timed("what nodes need more than tests: Ray's dashboard"):
            return launched.packages(tmp_path_factory.mktemp("packages") / "venv")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"Ray's dashboard cannot be fetched: {error.stderr.decode()[-200:]}")


@pytest.fixture(scope="module")
def expected(fetched, tmp_path_factory) -> list[Row]:
    """The rows of the same study on this machine alone."""
    folder = tmp_path_factory.mktemp("alone")
    study = [sys.executable, "studies/lenet_sensitivity.py", "--scale", "smoke", *LONGER.split()]
    places = ["--out", str(folder), "--tracking-uri", f"sqlite:///{folder}/mlflow.db"]
    with timed("a local run"):
        done = subprocess.run(
            [*study, *places],
            cwd=launched.ROOT,
            env={**os.environ, "PYTHONPATH": str(launched.ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    return read(folder / STUDY / "records.parquet")


@contextlib.contextmanager
def hosts(folder: Path, fetched: Path, shared: Path) -> Iterator[HostNetwork]:
    """Makes a laptop and three nodes; of them nothing is left."""
    places = [folder / name for name in ("files", "spaces")]
    for place in places:
        place.mkdir()
    given = launched.files(places[0], fetched)
    read_only = [Path(sys.prefix), Path(sys.base_prefix), fetched]
    with network(places[1], given, shared=shared, read=read_only) as made:
        yield made
    first = [host.first for host in made.hosts.values()]
    assert not any(map(psutil.pid_exists, [made.switch, *first]))


def test_a_host_that_is_cut_off_costs_nothing_and_comes_back(fetched, expected, tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    with hosts(tmp_path, fetched, shared) as made:
        launch = Launch(made, fetched, shared / "results" / "cells")
        begin(launch)
        victim = lose_one(launch, launch.submit, tmp_path / "job.txt")
        come_back(launch, victim)
        end(launch, [launch.home])
        require_same(launch, expected)
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()


def test_the_same_over_a_file_system_that_lacks_locks(fetched, expected, tmp_path):
    if reason := no_locks.lacking():
        pytest.skip(reason)
    folder, shared = tmp_path / "behind", tmp_path / "shared"
    folder.mkdir()
    shared.mkdir()
    submit, *home = launched.commands("## A shared folder without locks")
    with (
        no_locks.without_locks(folder, shared),
        hosts(tmp_path, fetched, shared) as made,
    ):
        launch = Launch(made, fetched, folder / "cells")
        begin(launch)
        with timed("a study whose folder would be there"):
            printed = launch.run(f"{launch.submit.replace('id lenet', 'id refused')} || true", 300)
        assert "lock cannot be locked: No locks available; out must be" in printed, printed
        assert "74" in printed.partition("Job 'refused' failed")[2], printed
        lose_one(launch, submit, tmp_path / "job.txt")
        assert "/shared/cells has no locks" in (tmp_path / "job.txt").read_text(errors="replace")
        end(launch, home)
        require_same(launch, expected)
        brought = launch.inside(launch.laptop, launched.CHECKOUT) / "results" / "cells"
        found = [
            sorted(path.parent.name for path in place.glob("??/*/seal.json"))
            for place in (brought, launch.cells)
        ]
        assert found[0] == found[1]
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()


def begin(launch: Launch) -> None:
    """Has the cluster form."""
    launch.run(launch.token)
    with timed("ray up"):
        launch.run(launch.up, 600)
    with timed("until the workers are there"):
        until(lambda: launch.is_there(*launch.workers), 600, "three nodes")
    assert launch.is_private()


def lose_one(launch: Launch, submit: str, log: Path) -> Host:
    """Runs a study, and cuts a worker off meanwhile; returns which."""
    with timed("the study, of which one node is cut off"):
        job = launch.start(submit.replace("--scale smoke", f"--scale smoke {LONGER}"), log)
        names = {host.name: host for host in launch.workers}
        with timed("until a worker has trained a network"):
            until(lambda: names.keys() & launch.trained() or job.poll() is not None, 600, "a cell")
        assert job.poll() is None, log.read_text(errors="replace")
        (victim, *_) = [names[name] for name in names.keys() & launch.trained().keys()]
        launch.made.cut(victim)
        print(f"{victim.name} is cut off; trained so far: {launch.trained()}")
        with timed("until the head knows"):
            until(lambda: not launch.is_there(victim), 120, "a node is missed")
        assert job.poll() is None, "the study was over before the head knew"
        job.wait(1200)
    printed = log.read_text(errors="replace")
    assert job.returncode == 0, printed
    assert "Job 'lenet' succeeded" in printed, printed
    print(f"trained in all: {launch.trained()}")
    return victim


def come_back(launch: Launch, victim: Host) -> None:
    """Plugs the cable in again, and has that worker train."""
    began = time.time()
    launch.made.mend(victim)
    with timed("until the node that was cut off is back"):
        until(lambda: launch.is_there(victim), 600, f"{victim.name} is back")
    with timed("another study"):
        again = launch.submit.replace("id lenet", "id again")
        printed = launch.run(again.replace("smoke", f"smoke {LONGER} {AGAIN}"), 1200)
    assert "Job 'again' succeeded" in printed, printed
    trained = launch.trained(began)
    print(f"trained since: {trained}")
    assert trained.get(victim.name), trained


def end(launch: Launch, home: list[str]) -> None:
    """Brings the results home and ends the cluster; nodes that are cut off are plugged in."""
    with timed("ray rsync-down"):
        for command in home:
            launch.run(command, 300)
    for worker in launch.workers:
        launch.made.mend(worker)
    with timed("ray down"):
        launch.run(launch.down, 300)
    with timed("until no node has a process left"):
        until(lambda: not launch.left(), 300, f"nothing is left: {launch.left()}")


def require_same(launch: Launch, expected: list[Row]) -> None:
    """Compares what was brought home with what one machine says."""
    home = launch.inside(launch.laptop, launched.CHECKOUT) / "results"
    rows = read(home / STUDY / "records.parquet")
    assert not list(home.glob("*/ray"))
    assert len({row["host"] for row in rows} & set(launched.NODES)) > 1
    assert lasting(rows) == lasting(expected)
