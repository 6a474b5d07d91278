"""Hosts on this machine: each has its own network, processes, mounts, name and files.

A host's root is this machine's, over which a file system in memory lies that takes what is written.
So nothing of the machine is changed, and all is gone once the first process of each host is killed.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

HOME = "/home/lttune"
PROGRAMS = {
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "taskset": "util-linux",
    "ip": "iproute2",
    "rsync": "rsync",
    "ssh-keygen": "openssh-client",
    "/usr/sbin/sshd": "openssh-server",
}
"""What hosts are made of, and Debian's package of each."""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DAEMON = """\
AuthorizedKeysFile /etc/ssh/of_the_cluster
HostKey /etc/ssh/of_the_host
PidFile none
MaxStartups 100
PermitRootLogin prohibit-password
PasswordAuthentication no
StrictModes no
UsePAM no
"""

MADE = r"""
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$PLACE"
cd "$PLACE"
mkdir up work root
mount -t overlay -o lowerdir=/,upperdir=up,workdir=work overlay root
cd root
mount -t proc proc proc
mount --rbind /dev dev
mount -t tmpfs -o mode=1777 tmpfs dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
mount --rbind /sys sys
for own in tmp run home; do mount -t tmpfs -o mode=1777 tmpfs $own; done
eval "set -- $READ"
for folder; do
    mkdir -p ".$folder"
    mount --bind "$folder" ".$folder"
    mount -o remount,bind,ro ".$folder"
done
if [ "$SHARED" ]; then
    mkdir -p shared
    mount --bind "$SHARED" shared
fi
mkdir -p old "run/sshd" "./$HOME/.ssh"
chmod 700 "./$HOME" "./$HOME/.ssh"
sed -i "s|^root:.*|root:x:0:0:root:$HOME:/bin/bash|" etc/passwd
cp -r "$GIVEN/." .
chown -R 0:0 "./$HOME" etc/ssh
chmod 600 etc/ssh/of_the_host
pivot_root . old
umount -l old
rmdir old
hostname "$NAME"
cd /
ip link set lo up
touch /run/made
/usr/sbin/sshd -D -e -f /etc/ssh/of_the_daemon > /run/sshd/log 2>&1 &
while true; do wait || sleep 1; done
"""
"""What the first process of a host does; at the end it waits for those that nobody waits for."""


def lacking() -> str:
    """Returns why no hosts can be made here; empty if they can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "hosts are made by root of a Linux"
    absent = [package for name, package in PROGRAMS.items() if shutil.which(name) is None]
    if absent:
        return f"apt install {' '.join(sorted(set(absent)))}"
    if "overlay" not in Path("/proc/filesystems").read_text():
        return "this Linux has no overlay file system"
    tried = ["unshare", "-n", "-m", "-p", "-u", "-i", "-f", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    done = subprocess.run(tried, capture_output=True, text=True, check=False)
    return f"namespaces are not permitted: {done.stderr.strip()}" if done.returncode else ""


@dataclass(frozen=True, kw_only=True)
class Host:
    """One host, by the process id that its first process has on this machine."""

    name: str
    address: str
    first: int

    def command(self, script: str, env: Mapping[str, str] | None = None) -> list[str]:
        """Returns the command that runs a script on it, as its root after a login."""
        entered = ["nsenter", "-t", str(self.first), "-a", "-w"]
        known = {
            "HOME": HOME,
            "PATH": PATH,
            "USER": "root",
            "SHELL": "/bin/bash",
            "LANG": "C.UTF-8",
        }
        values = [f"{key}={value}" for key, value in {**known, **(env or {})}.items()]
        return [*entered, "env", "-i", *values, "bash", "-c", f"cd {HOME}; {script}"]

    def run(self, script: str, env: Mapping[str, str] | None = None, timeout: float = 60) -> str:
        """Runs a script on it; returns what it printed."""
        done = subprocess.run(
            self.command(script, env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == 0, f"{self.name}: {script}\n{done.stdout}"
        return done.stdout

    def processes(self) -> dict[int, str]:
        """Returns all processes of it but for the first, by this machine's ids."""
        space = Path(f"/proc/{self.first}/ns/pid").readlink()
        found = {}
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if Path(f"/proc/{process.pid}/ns/pid").readlink() == space:
                    found[process.pid] = shlex.join(process.cmdline()) or process.name()
        return {pid: command for pid, command in found.items() if pid != self.first}


@dataclass(frozen=True, kw_only=True)
class HostNetwork:
    """Hosts and the switch between them, which is a network namespace too."""

    switch: int
    hosts: dict[str, Host]

    def cut(self, host: Host) -> None:
        """Pulls a host's cable."""
        _in(self.switch, f"ip link set {host.name} down")

    def mend(self, host: Host) -> None:
        """Plugs it in again."""
        _in(self.switch, f"ip link set {host.name} up")


@contextlib.contextmanager
def network(
    folder: Path, given: Mapping[str, Path], *, shared: Path, read: Sequence[Path]
) -> Iterator[HostNetwork]:
    """Makes hosts that reach each other; kills them at the end, however that comes.

    Args:
        folder: an empty one, for what they are made of.
        given: a host's own files by its name, as they are to lie under its root.
        shared: the folder that all but the first have as ``/shared``.
        read: folders of this machine that all see, under any name, and cannot write to.
    """
    started: list[subprocess.Popen[bytes]] = []
    try:
        bridge = "ip link add bridge type bridge; ip link set bridge up"
        switch = _started(started, folder / "log", ["-n"], bridge)
        hosts = {}
        for number, (name, files) in enumerate(given.items()):
            place = folder / name
            place.mkdir()
            env = {
                "PLACE": str(place),
                "READ": shlex.join(map(str, read)),
                "SHARED": str(shared) if number else "",
                "GIVEN": str(files),
                "NAME": name,
                "HOME": HOME,
            }
            core = sorted(os.sched_getaffinity(0))[number % len(os.sched_getaffinity(0))]
            spaces = ["-n", "-m", "-p", "-u", "-i"]
            first = _started(started, folder / f"{name}.log", spaces, MADE, env=env, core=core)
            address = f"10.77.0.{number + 1}"
            _in(switch, f"ip link add {name} type veth peer name eth0 netns {first}")
            _in(switch, f"ip link set {name} master bridge up")
            # No way to the internet, of which Ray would ask what address this host has.
            _in(first, f"ip addr add {address}/24 dev eth0; ip link set eth0 up")
            hosts[name] = Host(name=name, address=address, first=first)
        for host in hosts.values():
            seen = Path("/proc", str(host.first), "root")  # The host's own disk.
            while not (seen / "run" / "made").exists():
                made = psutil.pid_exists(host.first)
                assert made, (folder / f"{host.name}.log").read_text()
                time.sleep(0.05)
        yield HostNetwork(switch=switch, hosts=hosts)
    finally:
        for process in started:
            with contextlib.suppress(psutil.NoSuchProcess):  # One that ended by itself.
                for inside in psutil.Process(process.pid).children():
                    inside.send_signal(signal.SIGKILL)
            process.wait()


def _in(first: int, script: str) -> None:
    """Runs a script in a network namespace, with this machine's programs."""
    entered = ["nsenter", "-t", str(first), "-n", "sh", "-e", "-c", script]
    subprocess.run(entered, check=True, capture_output=True)


def _started(
    started: list[subprocess.Popen[bytes]],
    log: Path,
    spaces: list[str],
    script: str,
    *,
    env: Mapping[str, str] | None = None,
    core: int | None = None,
) -> int:
    """Starts the first process of namespaces, which dies with this one; returns its id."""
    bound = [] if core is None else ["taskset", "-c", str(core)]
    kept = ["setpriv", "--pdeathsig", "KILL", "--", "unshare", *spaces, "-f", "--kill-child"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*bound, *kept, "--", "bash", "-c", f"{script}\nsleep infinity"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={"PATH": PATH, **(env or {})},
        )
    started.append(process)
    while not (found := psutil.Process(process.pid).children()):
        assert process.poll() is None, log.read_text()
        time.sleep(0.01)
    return found[0].pid
