"""Locks: of a file, and of a study's folder for one driver at a time, with a note of who it is."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import socket
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from lttune.errors import LockedError, NoLocksError, StorageError, legible
from lttune.store.disk import mend_of
from lttune.store.files import reason_of
from lttune.store.plain_json import read_json, write_json
from lttune.store.temporary import (
    began_at,
    is_seen_from_here,
    may_live,
    temporary_beside,
    this_boot,
    this_process,
)

NOTE = "driver.json"
"""The file that names who holds the lock; one that a killed driver left says nothing."""
BEAT_S = 60.0
"""Seconds between two times at which a driver touches its note: other machines see by it alone that
it lives, because a level of a large network takes hours."""
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
"""Errors of a file system that has no locks, as Lustre without ``-o flock``."""
TOLD_S = 2.0
"""Seconds after which it is told that a lock is waited for."""
_PLACE = "out must be a folder that can be written to, on a file system with locks"

_LOG = logging.getLogger(__name__)


@contextlib.contextmanager
def only_driver(folder: Path) -> Iterator[None]:
    """Keeps other drivers out of a study's folder; the lock of a process that dies is free.

    Raises:
        LockedError: if another one has it.
        StorageError: if it cannot be locked.
    """
    lock, note = file_lock(folder / "lock"), folder / NOTE
    try:
        acquire(lock, timeout_s=0)
    except Timeout:
        raise _locked(folder) from None
    try:
        write_json(note, {**_mine(), "process": this_process(), "boot": this_boot()})
        with _touched(note):
            yield
    finally:
        with contextlib.suppress(OSError):
            note.unlink(missing_ok=True)
        lock.release()


@contextlib.contextmanager
def _touched(note: Path) -> Iterator[None]:
    """Touches a note every ``BEAT_S`` inside, in a thread."""
    done = threading.Event()

    def touch() -> None:
        while not done.wait(BEAT_S):
            with contextlib.suppress(OSError):
                os.utime(note)

    thread = threading.Thread(target=touch, name="lttune-driver", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def driver(folder: Path) -> dict[str, Any] | None:
    """Returns who runs a study, as they noted it; None if nobody does. Nothing is locked.

    Of a process on another machine nobody can tell from here whether it lives: it counts
    (``is_elsewhere``). One of this host and another boot that has not touched its note since this
    machine began was ended with the machine: by the clocks of two machines, which may differ.
    """
    try:
        who = read_json(folder / NOTE)
        touched = (folder / NOTE).stat().st_mtime
    except (OSError, ValueError):
        return None
    if not isinstance(who, dict) or not may_live(str(who.get("process"))):
        return None
    was_here = is_elsewhere(who) and who.get("host") == socket.gethostname()
    if this_boot() and who.get("boot") == this_boot():  # In another container.
        return who
    return None if was_here and touched < began_at() else who


def is_elsewhere(who: Mapping[str, Any]) -> bool:
    """Returns whether a driver is one of which nobody can tell from here whether it lives."""
    return not is_seen_from_here(str(who.get("process")))


@contextlib.contextmanager
def no_driver(folder: Path) -> Iterator[None]:
    """Keeps drivers out of a study's folder for who only reads it: nothing is written.

    Who may not take the lock, because they may only read the folder, goes on without.

    Raises:
        LockedError: if a driver has it.
    """
    with contextlib.ExitStack() as held:
        if (folder / "lock").is_file():
            try:
                held.enter_context(file_lock(folder / "lock").acquire(timeout=0))
            except Timeout:
                raise _locked(folder) from None
            except OSError:
                pass
        yield


def file_lock(path: Path, *, in_one_thread: bool = True) -> FileLock:
    """Returns the lock of a file, which nobody has yet.

    It is the system's, which ends with its process: the files by which filelock does without one
    stay for ever when a process is killed on another machine.

    Args:
        path: of the file, which is made if it is missing.
        in_one_thread: whether the thread that takes it gives it back; else any may.
    """
    return FileLock(path, thread_local=in_one_thread, fallback_to_soft=False)


def acquire(lock: FileLock, timeout_s: float = -1, doing: str = "") -> None:
    """Takes a lock; waits for ever where no time is given.

    Args:
        lock: the lock.
        timeout_s: seconds within which it must be had.
        doing: as of ``wait_for``; without it nothing is told.

    Raises:
        Timeout: if somebody else has it all the time.
        NoLocksError: if its file system has no locks.
        StorageError: if it cannot be locked for another reason.
    """
    try:
        if doing:
            wait_for(lock, timeout_s, doing)
        else:
            lock.acquire(timeout=timeout_s)
    except Timeout:
        raise
    except (OSError, NotImplementedError) as error:
        mend = mend_of(error, Path(lock.lock_file)) if isinstance(error, OSError) else ""
        text = f"{lock.lock_file} cannot be locked: {reason_of(error)}"
        if not isinstance(error, OSError) or error.errno in NO_LOCKS:
            own = "give --out on a disk of this machine, and what all nodes see as --store"
            raise NoLocksError(f"{text}; {_PLACE}: {own}") from error
        raise StorageError(f"{text}; {mend or _PLACE}") from error


def wait_for(lock: FileLock, timeout_s: float, doing: str, told_s: float | None = None) -> bool:
    """Takes a lock, and tells a person once if that takes longer than a moment.

    Args:
        lock: the lock.
        timeout_s: seconds within which it must be had; negative is for ever.
        doing: what who has it does, as "the report of results/x is being written by".
        told_s: the seconds of that moment; None is ``TOLD_S``.

    Returns:
        Whether it took longer.

    Raises:
        Timeout: if somebody else has it all the time.
        OSError: if it cannot be locked.
        NotImplementedError: likewise.
    """
    moment = TOLD_S if told_s is None else told_s
    first = moment if timeout_s < 0 else min(moment, timeout_s)
    try:
        lock.acquire(timeout=first)
        return False
    except Timeout:
        if first == timeout_s:
            raise
    longest = "" if timeout_s < 0 else f", {timeout_s:g} s at most"
    who = _whose(Path(lock.lock_file)) or "another process"
    # Louder than a step: where nobody shows steps, as in a notebook, it is printed all the same.
    _LOG.warning("%s", legible(f"{doing} {who}: waiting for that{longest}"))
    lock.acquire(timeout=timeout_s - first if longest else -1)
    return True


def sign(lock: FileLock) -> None:
    """Writes into the file of a lock that is held who has it, for who waits for it meanwhile."""
    with contextlib.suppress(OSError):  # Windows lets nobody write there.
        Path(lock.lock_file).write_text(json.dumps(_mine()), encoding="utf-8")


def has_locks(folder: Path) -> bool:
    """Returns whether the file system of a folder that can be written to has locks."""
    path = temporary_beside(folder / "lock")
    lock = file_lock(path)
    try:
        acquire(lock)
        lock.release()
    except NoLocksError:
        return False
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
    return True


def _locked(folder: Path) -> LockedError:
    """Returns the error that names who runs a study, as far as that is noted."""
    who = _whose(folder / NOTE)
    text = f"another driver is running the study {folder}"
    return LockedError(f"{text}: {who}" if who else text)


def _mine() -> dict[str, Any]:
    """Returns who this process is, for people."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {"pid": os.getpid(), "host": socket.gethostname(), "since": now}


def _whose(note: Path) -> str:
    """Returns who noted that they have a lock; empty if that is not known."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        who = read_json(note)
        return f"process {who['pid']} on {who['host']}, since {who['since']}"
    return ""
