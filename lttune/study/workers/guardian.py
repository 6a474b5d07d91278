"""The end of a local Ray whose driver is killed: a process that does nothing but wait for that.

Linux ends the processes that a driver started itself, Ray's workers see within a second or two that
their raylet has gone, and Ray's agents first try for a minute to tell the dead head of it (2.60).
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ray._private import ray_constants, worker

_WAITS = """
import contextlib, os, signal, sys
watched = []
for pid in sys.argv[1:]:
    with contextlib.suppress(OSError):
        watched.append(os.pidfd_open(int(pid)))
sys.stdin.read()
for process in watched:
    with contextlib.suppress(OSError):
        signal.pidfd_send_signal(process, signal.SIGKILL)
"""
"""Ends processes, and none that has got the number of one, when its input ends with its parent."""


@contextlib.contextmanager
def children_guarded() -> Iterator[None]:
    """Has what the raylet of this machine's own Ray started end with this process; on Linux."""
    pids = _raylets_children()
    if not pids:
        yield
        return
    command = [sys.executable, "-I", "-S", "-c", _WAITS, *pids]
    # In a session of its own: what ends the driver's group of processes must not end it.
    guardian = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
    try:
        yield
    finally:
        guardian.kill()
        guardian.communicate()


def _raylets_children() -> list[str]:
    node: Any = worker._global_node
    if node is None or not node.ray_init_cluster:
        return []
    (raylet,) = node.all_processes[ray_constants.PROCESS_TYPE_RAYLET]
    threads = Path(f"/proc/{raylet.process.pid}/task").glob("*/children")
    return [pid for thread in threads for pid in thread.read_text().split()]
