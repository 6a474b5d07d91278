"""Temporary files and folders, whose names say which process writes them.

What no living process owns was left by one that was killed, and is removed by the next that comes
by. Not a lock but the name tells: a lock would not survive that another library replaces the file,
and many shared file systems have none.
"""

from __future__ import annotations

import contextlib
import functools
import glob
import hashlib
import itertools
import math
import os
import platform
import re
import shutil
import time
import uuid
from collections.abc import Callable
from pathlib import Path

DRAFTS = "drafts"
"""Folder of a store in which cells are written."""

UNKNOWN_OWNER_S = 3600.0
"""Seconds since the last change after which what another machine or an older version of lttune
wrote is taken to be left, by the clock of the file system."""

_NAME = re.compile(
    r"\.(?P<name>.+)\.(?P<machine>[0-9a-f]{8})-(?P<pid>\d+)-(?P<began>\d+)-\d+\.tmp(-[a-z]+)?"
)
_PROCESS = re.compile(r"(?P<machine>[0-9a-f]{8})-(?P<pid>\d{1,9})-(?P<began>\d{1,20})")
_OLDER_NAME = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{8}\.(tmp|draft)(-[a-z]+)?")
_OLDER_DRAFT = re.compile("(?P<name>[0-9a-f]{32})")
_NUMBERS = itertools.count()
_BOOT = Path("/proc/sys/kernel/random/boot_id")


def temporary_beside(path: Path) -> Path:
    """Returns a path beside another one that this process may write to, different at each call."""
    return path.with_name(f".{path.name}.{this_process()}-{next(_NUMBERS)}.tmp")


def this_process() -> str:
    """Returns what tells this process from all others: of its machine, of others, of later ones."""
    pid = os.getpid()
    return f"{_machine()}-{pid}-{_began(pid)}"


def may_live(process: str) -> bool:
    """Returns whether a process that called itself by ``this_process`` lives, or may elsewhere."""
    known = _PROCESS.fullmatch(process)
    if known is None:
        return False
    return known["machine"] != _machine() or _lives(int(known["pid"]), known["began"])


def is_seen_from_here(process: str) -> bool:
    """Returns whether ``may_live`` knows of a process: it is of this boot and container."""
    known = _PROCESS.fullmatch(process)
    return known is None or known["machine"] == _machine()


def this_boot() -> str:
    """Returns what all processes of this machine share, in containers too, until it boots again.

    Empty where that is not told.
    """
    try:
        boot = _BOOT.read_text().strip()
    except OSError:
        return ""
    return hashlib.sha256(boot.encode()).hexdigest()[:8]


def began_at() -> float:
    """Returns when this machine began, in seconds since the epoch; -inf where that is not told."""
    if not hasattr(time, "CLOCK_BOOTTIME"):
        return -math.inf
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)


def remove_abandoned(folder: Path, name: str | None = None) -> None:
    """Removes what killed processes left in a folder: of the path called ``name``, None for all.

    Nothing else is touched, links are not followed, and what cannot be removed stays.
    """
    if folder.is_symlink():
        return
    pattern = "*" if name is None else f".{glob.escape(name)}.*"
    now = functools.cache(lambda: time_in(folder))
    with contextlib.suppress(OSError):
        for path in list(folder.glob(pattern)):
            if _is_abandoned(path, name, now):
                _remove(path)


def time_in(folder: Path) -> float:
    """Returns the time of a folder's file system, in seconds since the epoch.

    On a shared one it is the server's, as the times of its files are, whatever this machine's clock
    says. A file is made there to ask for it, and removed.

    Raises:
        OSError: if none can be made.
    """
    mark = temporary_beside(folder / "time")
    mark.touch(exist_ok=False)
    try:
        return mark.lstat().st_mtime
    finally:
        with contextlib.suppress(OSError):
            mark.unlink()


def _is_abandoned(path: Path, name: str | None, now: Callable[[], float]) -> bool:
    known = _NAME.fullmatch(path.name)
    older = _OLDER_DRAFT if path.parent.name == DRAFTS else _OLDER_NAME
    found = known or older.fullmatch(path.name)
    if found is None or name not in (None, found["name"]):
        return False
    if known and known["machine"] == _machine():
        return not _lives(int(known["pid"]), known["began"])
    try:
        return now() - path.lstat().st_mtime > UNKNOWN_OWNER_S
    except OSError:
        return False  # Its owner has finished, or nothing can be made, nor removed, there.


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()


@functools.cache
def _machine() -> str:
    """Returns what two processes share just where each can see whether the other is alive."""
    try:
        boot = _BOOT.read_text().strip()
        parts = (boot, str(Path("/proc/self/ns/pid").readlink()))
    except OSError:
        parts = (platform.node(), str(uuid.getnode()))
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:8]


def _began(pid: int) -> str:
    """Returns when a process began, in ticks since the machine did; 0 where that is not told.

    With it a process is told from a later one that has the same number.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return "0"
    # The program's name, in brackets, may hold anything; 19 fields lie between it and this one.
    return text.rpartition(")")[2].split()[19]


def _lives(pid: int, began: str) -> bool:
    if os.name != "posix":
        return True  # Elsewhere to ask by a signal would send one.
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):  # A name may hold a number that no process has.
        return False
    except OSError:
        pass  # It is another user's.
    return _began(pid) in (began, "0")
