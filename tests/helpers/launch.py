"""One launch by the README of studies/cluster: what the laptop does, what is seen from outside."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import launched
from hosts import PATH, Host, HostNetwork

LONGER = "--lottery.train.steps 1000"
"""Ray takes a minute to see that a node has gone; the smoke study alone is hardly longer."""
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

    def __init__(self, made: HostNetwork, fetched: Path, cells: Path) -> None:
        self.made, self.cells = made, cells
        self.laptop, self.head, *self.workers = made.hosts.values()
        self.env = {"PATH": f"{fetched}/bin:{PATH}"}
        self.token, self.up, self.submit, self.home, self.down, _ = launched.commands()
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
        for path in self.cells.glob("??/*/times.json"):
            if path.stat().st_mtime >= since:
                host = json.loads(path.read_text())["host"]
                counts[host] = counts.get(host, 0) + 1
        return counts

    def is_private(self) -> bool:
        """Returns whether no other user of a node reaches the files of its Ray."""
        places = [self.inside(one, "/tmp") for one in (self.head, *self.workers)]
        own = [place / f"ray-{os.getuid()}" for place in places]
        sessions = [[*place.glob("**/raylet")] for place in places]
        found = zip(own, sessions, strict=True)
        return all(
            one.stat().st_mode & 0o077 == 0 and there and all(one in each.parents for each in there)
            for one, there in found
        )

    def left(self) -> dict[str, list[str]]:
        """Returns what runs on the nodes beside the daemon of ssh."""
        nodes = (self.head, *self.workers)
        found = {host.name: list(host.processes().values()) for host in nodes}
        return {
            name: rest
            for name, commands in found.items()
            if (rest := [one for one in commands if not one.startswith("sshd: /usr/sbin/sshd")])
        }
