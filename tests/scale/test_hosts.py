"""The launch of studies/cluster/README.md for real: a laptop and three nodes of a cluster.

One of the nodes is cut off in the middle. Takes a quarter of an hour and rights: `make hosts`.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import launched
import psutil
import pytest
from digits_place import lasting
from hosts import PATH, Host, HostNetwork, lacking, network

from lttune.data import load
from lttune.records.schema import read
from lttune.records.tables import Row

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(2400),
    pytest.mark.skipif("LTTUNE_HOSTS" not in os.environ, reason="takes 15 minutes: make hosts"),
]
LONGER = "--lottery.train.steps 1000"
"""Ray takes a minute to see that a node has gone; the smoke study alone is hardly longer."""
AGAIN = "--name again --seed 1 --phases design"
LOG = Path("lttune-workers") / "log"


@contextlib.contextmanager
def timed(what: str) -> Iterator[None]:
    """Prints how long a phase takes."""
    began = time.monotonic()
    yield
    print(f"{what}: {time.monotonic() - began:.0f} s", flush=True)


def until(holds: Callable[[], object], seconds: float, what: str) -> None:
    """Returns once something holds; fails where it does not come to."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.5)


class Launch:
    """The laptop's side of it, and what can be seen of the nodes from outside."""

    def __init__(self, made: HostNetwork, fetched: Path, shared: Path) -> None:
        self.made, self.results = made, shared / "results"
        self.laptop, self.head, *self.workers = made.hosts.values()
        self.env = {"PATH": f"{fetched}/bin:{PATH}"}
        self.token, self.up, self.submit, self.home, self.down, _ = launched.commands()
        self.submit = self.submit.replace("--scale smoke", f"--scale smoke {LONGER}")
        path = self.inside(self.laptop, launched.CHECKOUT) / "studies" / "cluster" / "onprem.yaml"
        addresses = [host.address for host in self.workers]
        path.write_text(launched.edited(path.read_text(), self.head.address, addresses))

    @staticmethod
    def inside(host: Host, path: str) -> Path:
        """Returns a path of a host as this machine reaches it."""
        return Path(f"/proc/{host.first}/root{path}")

    def run(self, command: str, seconds: float = 120) -> str:
        """Runs a command in the laptop's checkout."""
        return self.laptop.run(launched.in_checkout(command), self.env, seconds)

    def start(self, command: str, log: Path) -> subprocess.Popen[bytes]:
        """Starts one."""
        entered = self.laptop.command(launched.in_checkout(command), self.env)
        with log.open("wb") as output:
            return subprocess.Popen(
                entered, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )

    def seen(self, worker: Host) -> str:
        """Returns what the keeper of the workers said of one last."""
        log = self.inside(self.head, launched.HOME) / LOG
        lines = [one for one in log.read_text().splitlines() if f" {worker.address} " in one]
        return lines[-1].partition(f"{worker.address} ")[2] if lines else ""

    def is_there(self, *workers: Host) -> bool:
        return all(self.seen(worker) == "is there" for worker in workers)

    def trained(self, since: float = 0.0) -> dict[str, int]:
        """Returns how many networks each host has trained since then."""
        counts: dict[str, int] = {}
        for path in self.results.glob("cells/??/*/times.json"):
            if path.stat().st_mtime >= since:
                host = json.loads(path.read_text())["host"]
                counts[host] = counts.get(host, 0) + 1
        return counts

    def left(self) -> dict[str, list[str]]:
        """Returns what runs on the nodes beside the daemon of ssh."""
        nodes = (self.head, *self.workers)
        found = {host.name: list(host.processes().values()) for host in nodes}
        return {
            name: rest
            for name, commands in found.items()
            if (rest := [one for one in commands if not one.startswith("sshd: /usr/sbin/sshd")])
        }


def alone(folder: Path) -> list[Row]:
    """Runs the same study on this machine alone; returns its rows."""
    study = [sys.executable, "studies/lenet_sensitivity.py", "--scale", "smoke", *LONGER.split()]
    places = ["--out", str(folder), "--tracking-uri", f"sqlite:///{folder}/mlflow.db"]
    folder.mkdir()
    done = subprocess.run(
        [*study, *places],
        cwd=launched.ROOT,
        env={**os.environ, "PYTHONPATH": str(launched.ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return read(folder / "lenet-sensitivity-smoke" / "records.parquet")


def test_a_host_that_is_cut_off_costs_nothing_and_comes_back(tmp_path):
    if reason := lacking():
        pytest.skip(reason)
    load("mnist")  # The nodes cannot fetch it.
    with timed("a local run"):
        expected = alone(tmp_path / "alone")
    places = {name: tmp_path / name for name in ("files", "spaces", "shared")}
    for place in places.values():
        place.mkdir()
    try:
        with timed("what nodes need more than tests: Ray's dashboard"):
            fetched = launched.packages(tmp_path / "packages")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"Ray's dashboard cannot be fetched: {error.stderr.decode()[-200:]}")
    given = launched.files(places["files"], fetched)
    read_only = [Path(sys.prefix), Path(sys.base_prefix), fetched]
    with network(places["spaces"], given, shared=places["shared"], read=read_only) as made:
        launch = Launch(made, fetched, places["shared"])
        follow(launch, tmp_path)
        home = launch.inside(launch.laptop, launched.CHECKOUT) / "results"
        rows = read(home / "lenet-sensitivity-smoke" / "records.parquet")
        assert not list(home.glob("*/ray"))
    hosts = [host.first for host in made.hosts.values()]
    assert not any(map(psutil.pid_exists, [made.switch, *hosts]))
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()
    assert len({row["host"] for row in rows} & set(launched.NODES)) > 1
    assert lasting(rows) == lasting(expected)


def follow(launch: Launch, tmp_path: Path) -> None:
    """Follows the README; cuts one node off meanwhile, and has it come back."""
    launch.run(launch.token)
    with timed("ray up"):
        launch.run(launch.up, 600)
    with timed("until the workers are there"):
        until(lambda: launch.is_there(*launch.workers), 600, "three nodes")
    with timed("the study, of which one node is cut off"):
        job = launch.start(launch.submit, tmp_path / "job.txt")
        names = {host.name: host for host in launch.workers}
        with timed("until a worker has trained a network"):
            until(lambda: names.keys() & launch.trained() or job.poll() is not None, 600, "a cell")
        (victim, *_) = [names[name] for name in names.keys() & launch.trained().keys()]
        launch.made.cut(victim)
        print(f"{victim.name} is cut off; trained so far: {launch.trained()}")
        with timed("until the head knows"):
            until(lambda: not launch.is_there(victim), 120, "a node is missed")
        assert job.poll() is None, "the study was over before the head knew"
        job.wait(1200)
    printed = (tmp_path / "job.txt").read_text(errors="replace")
    assert job.returncode == 0, printed
    assert "Job 'lenet' succeeded" in printed, printed
    print(f"trained in all: {launch.trained()}")
    began = time.time()
    launch.made.mend(victim)
    with timed("until the node that was cut off is back"):
        until(lambda: launch.is_there(victim), 600, f"{victim.name} is back")
    with timed("another study"):
        again = launch.submit.replace("id lenet", "id again").replace("smoke", f"smoke {AGAIN}")
        printed = launch.run(again, 1200)
    assert "Job 'again' succeeded" in printed, printed
    trained = launch.trained(began)
    print(f"trained since: {trained}")
    assert trained.get(victim.name), trained
    with timed("ray rsync-down"):
        launch.run(launch.home, 300)
    with timed("ray down"):
        launch.run(launch.down, 300)
    with timed("until no node has a process left"):
        until(lambda: not launch.left(), 120, f"nothing is left: {launch.left()}")
