"""The processes of a Ray of this machine's own, without which a study would wait for ever."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ray._private import ray_constants, worker

VITAL = (ray_constants.PROCESS_TYPE_GCS_SERVER, ray_constants.PROCESS_TYPE_RAYLET)
"""What Ray calls the processes that it neither goes on without nor starts again."""
LOOK_S = 0.2
"""Seconds between two looks."""
ASKED_S = 3.0
"""Seconds after a death in which a signal to this process may still explain it: who ends all
processes of a job, as Slurm does, asks this one as well, which then leaves by itself."""
AGAIN_S = 5.0
"""Seconds after which a main thread that is still in Ray is interrupted again."""


@dataclass(frozen=True, kw_only=True)
class Death:
    """What is done when a vital process dies."""

    tell: Callable[[str], None]
    """Called with its name, in a thread or in the main one."""
    wait_s: float
    """Seconds between the death and the call, of which none comes where all ends meanwhile."""


@contextlib.contextmanager
def vital_processes(death: Death) -> Iterator[None]:
    """Tells that a vital process dies inside; in a thread, or at the end.

    The main thread may be in a call of Ray that never returns. A cluster that was joined has its
    processes watched by itself.
    """
    done = threading.Event()

    def look() -> None:
        while not done.wait(LOOK_S):
            if (name := _dead()) and not done.wait(death.wait_s):
                death.tell(name)
                done.wait(AGAIN_S)

    thread = threading.Thread(target=look, name="lttune-vital", daemon=True)
    thread.start()
    try:
        yield
    except Exception:
        # What Ray raises then is of many kinds and says less.
        if name := _dead():
            death.tell(name)
        raise
    finally:
        done.set()
        thread.join()


def _dead() -> str | None:
    """Returns the name of a vital process that has ended, None if all live."""
    node: Any = worker._global_node
    if node is None or not node.ray_init_cluster:
        return None
    return next((name for name, _ in node.dead_processes() if name in VITAL), None)
