"""Failpoints: named places at which a test has the process fail.

``LTTUNE_FAULT=SITE:N:ACTION`` lets the N-th time (from 1) that a process reaches a site end in an
action of ``ACTIONS``. With ``LTTUNE_FAULT_ONCE=FILE`` that happens once for all processes that have
the same environment: who makes the file does it. Without them a failpoint does nothing.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
from collections import Counter
from collections.abc import Callable
from typing import NoReturn

_reached = Counter[str]()


def _signal(signum: int) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), signum)


def _full() -> NoReturn:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _read_only() -> NoReturn:
    raise OSError(errno.EROFS, os.strerror(errno.EROFS))


def _no_descriptors() -> None:
    import resource  # Windows has none.

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, most))


def _no_memory() -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (1 << 20, before[1]))
    try:
        bytearray(1 << 30)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def _bug() -> NoReturn:
    raise RuntimeError("a failpoint")


ACTIONS: dict[str, Callable[[], None]] = {
    "kill": _signal(signal.SIGKILL),
    "term": _signal(signal.SIGTERM),
    "full": _full,
    "readonly": _read_only,
    "descriptors": _no_descriptors,
    "memory": _no_memory,
    "bug": _bug,
}
"""Action -> what it does: two signals, a disk that is full or became read-only, no more files
that can be opened, no memory for once, an error of nobody's."""


def reach(site: str) -> None:
    """Says that a site is reached."""
    asked = os.environ.get("LTTUNE_FAULT")
    if not asked:
        return
    name, number, action = asked.split(":")
    if name == site:
        _reached[site] += 1
        if _reached[site] == int(number) and _is_first():
            ACTIONS[action]()


def _is_first() -> bool:
    """Whether no other process has failed before."""
    path = os.environ.get("LTTUNE_FAULT_ONCE")
    if not path:
        return True
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))
        return True
    return False
