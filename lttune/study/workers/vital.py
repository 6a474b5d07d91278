"""The processes of a Ray of this machine's own, without which a study would wait for ever."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

import ray
from ray._private import ray_constants

VITAL = (ray_constants.PROCESS_TYPE_GCS_SERVER, ray_constants.PROCESS_TYPE_RAYLET)
"""What Ray calls the processes that it neither goes on without nor starts again."""
LOOK_S = 0.2
"""Seconds between two looks."""


@contextlib.contextmanager
def vital_processes(lost: Callable[[str], None]) -> Iterator[None]:
    """Calls ``lost`` with the name of a vital process that dies inside; in a thread, or at the end.

    The main thread may be in a call of Ray that never returns. A cluster that was joined has its
    processes watched by itself.
    """
    done = threading.Event()

    def look() -> None:
        while not done.wait(LOOK_S):
            _look(lost)

    thread = threading.Thread(target=look, name="lttune-vital", daemon=True)
    thread.start()
    try:
        yield
    except Exception:
        # What Ray raises then is of many kinds and says less.
        _look(lost)
        raise
    finally:
        done.set()
        thread.join()


def _look(lost: Callable[[str], None]) -> None:
    node = ray._private.worker._global_node  # pyright: ignore[reportAttributeAccessIssue]
    if node is not None and node.ray_init_cluster:
        for name, _ in node.dead_processes():
            if name in VITAL:
                lost(name)
