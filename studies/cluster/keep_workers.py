"""Keeps Ray running on the workers of an on-prem cluster as long as it runs on the head.

    python keep_workers.py --autoscaling-config=~/ray_bootstrap_config.yaml

onprem.yaml starts it on the head, in the place of Ray's autoscaler. That one leaves a machine alone
for good once a start of it has failed (Ray 2.60): because it was off, or its NFS server was. Here
a worker that the head does not know as alive is set up and started as ``ray up`` would, from the
first of its commands to the last, again and again.

What it sees is in ``~/lttune-workers/log``, the last start of each worker in a file beside it.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import yaml
from ray._raylet import GcsClient
from ray.exceptions import RayError
from start_worker import PORT, head_address, head_process

from lttune.store.temporary import is_seen_from_here, may_live, this_process

PAUSE_S = 20
"""From the end of a worker's start to the next: Ray needs seconds to say that it is there."""
LOOK_S = 3
AT_ONCE = 16
"""Starts at a time: each is a process of some 100 MB on the head."""
SSH_S = 60
"""How long a start waits for a machine's ssh before it makes room for another's."""
LONGEST_S = {"start": 7200, "stop": 120}
"""How long each may take, of which a worker's first start fetches PyTorch: a machine that takes ssh
and then does nothing more would keep its place for good."""
STOP_S = 3600
"""How long it goes on to try to stop a worker that cannot be reached when the head ends."""
NAMELESS_S = 30
"""How long it waits for who has the lock to say who that is: one that starts does so at once."""
FOLDER = Path("~/lttune-workers").expanduser()
SCRIPT = Path(__file__).with_name("start_worker.py")


def main() -> None:
    """Keeps all workers."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--autoscaling-config", required=True, type=Path, metavar="FILE")
    path = parser.parse_args().autoscaling_config.expanduser()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    with alone(FOLDER / "lock"):
        keeper = Keeper(path=path)
        try:
            keeper.run()
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # Whoever waits asks each second.
            keeper.end()


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Ends the keeper of an earlier ``ray up`` of this head; holds the lock that says who keeps.

    A home on NFS has one lock for all heads of its user, and a number of a process is one of this
    machine's only if the keeper that noted it runs here.
    """
    nameless = time.monotonic() + NAMELESS_S
    with path.open("a+") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                file.seek(0)
                process, _, host = file.read().strip().partition(" ")
                if host and not is_seen_from_here(process):
                    own = "make ~/lttune-workers a link to a folder of each head's own disk"
                    sys.exit(f"{path}: the head {host} keeps its workers with it; {own}")
                if host:
                    ask_to_end(process)
                elif time.monotonic() > nameless:
                    sys.exit(f"{path} is held by what does not say who it is: end that")
                time.sleep(1)
            except OSError as error:
                mend = "~/lttune-workers must be on a disk with locks: make it a link to one"
                sys.exit(f"{path} cannot be locked: {error.strerror}; {mend}")
        file.truncate(0)
        file.write(f"{this_process()} {socket.gethostname()}\n")
        file.flush()
        yield


def ask_to_end(process: str) -> None:
    """Sends SIGTERM to a process of this machine, known as by ``this_process``, if it lives."""
    with contextlib.suppress(OSError):
        # First held, then looked at: who gets its number later is another process.
        held = os.pidfd_open(int(process.split("-")[1]))
        try:
            if may_live(process):
                signal.pidfd_send_signal(held, signal.SIGTERM)
        finally:
            os.close(held)


def runs(process: psutil.Process) -> bool:
    """Returns whether a process has not ended, waited for or not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def kill(process: subprocess.Popen[bytes]) -> None:
    """Ends a start or a stop with all that it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@dataclass(kw_only=True)
class Keeper:
    """What one run of the keeper knows."""

    path: Path
    """Of the cluster file on the head; it is read again and again, for ``ray up --no-restart``."""
    starting: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    """Or stopping, at the end."""
    not_before: dict[str, float] = field(default_factory=dict)
    not_after: dict[str, float] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    last: dict[str, Any] = field(default_factory=dict)
    """What the file said when it could be read."""

    def run(self) -> None:
        """Returns once the head's Ray has ended and so have the workers."""
        looked = 0.0
        if (head := head_process()) is None:
            sys.exit(f"no head of Ray listens on port {PORT} of this machine")
        address = head_address(self.config()["provider"]["head_ip"])
        client = GcsClient(address=f"{address}:{PORT}")
        while runs(head):
            if time.monotonic() - looked > LOOK_S:
                # A head that is slow, a full disk: the next look may be better.
                with contextlib.suppress(RayError, OSError):
                    self.look(client)
                looked = time.monotonic()
            time.sleep(0.5)
        self.end()
        self.stop_all()

    def config(self) -> dict[str, Any]:
        """Returns what ``ray up`` left on the head; where that cannot be read now, what it was.

        It may just be written, or its disk may fail, and workers are stopped by it at the end. With
        a home on NFS it may be another head's, whose workers are none of this one's.
        """
        try:
            found = yaml.safe_load(self.path.read_text())
            _, head = {*found["provider"]["worker_ips"]}, found["provider"]["head_ip"]
            if not self.last or self.last["provider"]["head_ip"] == head:
                self.last = found
        except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError):
            if not self.last:
                raise
        return self.last

    def look(self, client: GcsClient) -> None:
        """Starts the workers that are not there."""
        nodes = client.get_all_node_info(timeout=10).values()
        there = {node.node_manager_address for node in nodes if node.state == node.ALIVE}
        for worker, code in self.ended():
            if code:
                self.say(worker, f"could not be started: {FOLDER / worker}")
        workers = self.config()["provider"]["worker_ips"]
        # Those first that wait longest: the dead would else take all places again and again.
        for worker in sorted(workers, key=lambda name: self.not_before.get(name, 0.0)):
            try:
                addresses = {*socket.gethostbyname_ex(worker)[2]}
            except (OSError, UnicodeError):  # To start one that is there would end its trials.
                self.say(worker, "has a name that is not known now: left as it is")
                continue
            if addresses & there:
                self.say(worker, "is there")
                continue
            is_new = self.said.get(worker) in (None, "is there")
            if self.begin("start", worker) and is_new:
                self.say(worker, "is not there and is started")

    def process(self, action: str, worker: str) -> subprocess.Popen[bytes]:
        """Starts or stops a worker in a process of its own, whose end ends the ssh in it."""
        with contextlib.ExitStack() as files:
            # In memory: the file may have become unreadable, and the disk full.
            config = files.enter_context(os.fdopen(os.memfd_create("config"), "w"))
            config.write(yaml.safe_dump(self.config()))
            config.flush()
            number, log = config.fileno(), subprocess.DEVNULL
            with contextlib.suppress(OSError):
                log = files.enter_context((FOLDER / worker).open("wb"))
            path = f"--autoscaling-config=/dev/fd/{number}"
            return subprocess.Popen(
                [sys.executable, str(SCRIPT), path, action, worker],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=[number],
                env={**os.environ, "AUTOSCALER_NODE_START_WAIT_S": str(SSH_S)},
            )

    def stop_all(self) -> None:
        """Ends Ray on all workers.

        What of it is cut off from a head that ends does not end by itself, or not all of it.
        """
        waiting, deadline = {*self.config()["provider"]["worker_ips"]}, time.monotonic() + STOP_S
        self.not_before.clear()
        while waiting and time.monotonic() < deadline:
            for worker, code in self.ended():
                if code == 0:
                    waiting.discard(worker)
                self.say(worker, "could not be stopped" if code else "has ended")
            for worker in sorted(waiting, key=lambda name: self.not_before.get(name, 0.0)):
                with contextlib.suppress(OSError):  # No memory, no process: later there may be.
                    self.begin("stop", worker)
            time.sleep(0.2)

    def ended(self) -> list[tuple[str, int]]:
        """Returns the workers whose start or stop has come to an end, with its exit code."""
        for worker, process in self.starting.items():
            if time.monotonic() > self.not_after[worker]:
                kill(process)
        found = [(worker, process.poll()) for worker, process in self.starting.items()]
        over = [(worker, code) for worker, code in found if code is not None]
        for worker, _ in over:
            del self.starting[worker]
            self.not_before[worker] = time.monotonic() + PAUSE_S
        return over

    def begin(self, action: str, worker: str) -> bool:
        """Starts or stops a worker, if it is time; returns whether it was."""
        waits = time.monotonic() < self.not_before.get(worker, 0.0)
        if waits or worker in self.starting or len(self.starting) >= AT_ONCE:
            return False
        self.starting[worker] = self.process(action, worker)
        self.not_after[worker] = time.monotonic() + LONGEST_S[action]
        return True

    def say(self, worker: str, what: str) -> None:
        """Writes a line where something has changed, so that the log stays small."""
        if self.said.get(worker) != what:
            self.said[worker] = what
            with contextlib.suppress(OSError):  # The disk is full: it says so once there is room.
                print(f"{time.strftime('%F %T')} {worker} {what}", flush=True)

    def end(self) -> None:
        """Ends what is being started."""
        for process in self.starting.values():
            kill(process)
        self.starting.clear()


if __name__ == "__main__":
    main()
