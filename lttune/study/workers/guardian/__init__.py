"""The end of a local Ray whose driver is killed: a process that does nothing but wait for that.

Linux ends the processes that a driver started itself, Ray's workers see within a second or two that
their raylet has gone, and Ray's agents first try for a minute to tell the dead head of it (2.60).
Whose a process is says a variable of its environment, which it hands on to all that it starts: it
does not matter when that was, nor who its parent is by then.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping

from lttune.errors import ResourceError
from lttune.store.files import reason_of
from lttune.study.workers.guardian import ending

DRIVER = "LTTUNE_DRIVER"
"""Variable of the environment with what a driver and all that it starts have in common."""
UNTOUCHED = "SPT_NOENV"
"""Variable that keeps Ray's processes from writing their titles over their environment (2.60)."""


@contextlib.contextmanager
def children_guarded() -> Iterator[None]:
    """Has all that this process starts inside, and all that that starts, end with it; on Linux.

    Raises:
        ResourceError: if the process that sees to it cannot be started.
    """
    if not sys.platform.startswith("linux"):
        yield
        return
    mark = uuid.uuid4().hex
    command = [sys.executable, "-I", "-S", ending.__file__, f"{DRIVER}={mark}"]
    try:
        # In a session of its own: what ends the driver's group of processes must not end it. It
        # keeps nobody waiting for the end of the driver's output.
        guardian = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            # A copy: while another thread sets a variable, the process's own cannot be handed on.
            env=dict(os.environ),
        )
    except OSError as error:
        text = f"no process can be started on this machine: {reason_of(error)}"
        raise ResourceError(text) from error
    try:
        with _environment({DRIVER: mark, UNTOUCHED: "1"}):
            yield
    finally:
        guardian.kill()
        guardian.communicate()


@contextlib.contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Gives variables to what is started inside."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
