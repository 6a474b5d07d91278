"""What is free where something is written, and what to do where nothing more can be."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

_AGAIN = "and run the same command again"
_UNITS = {"TB": 10**12, "GB": 10**9, "MB": 10**6, "kB": 10**3}


@dataclass(frozen=True, kw_only=True)
class Room:
    """Room on a disk: what is free, or what is needed."""

    size: int
    """Bytes."""
    files: int | None
    """Files and folders; None where a file system has no limit of its own for them."""


def free_room(path: Path) -> Room:
    """Returns what this user may still fill on the disk where a path is, or will be.

    Raises:
        OSError: if that cannot be asked.
    """
    place = existing(path)
    if not hasattr(os, "statvfs"):  # Windows.
        return Room(size=shutil.disk_usage(place).free, files=None)
    there = os.statvfs(place)
    # Such as btrfs, which makes room for files as they come, and says that it has none at all.
    files = there.f_favail if there.f_files else None
    return Room(size=there.f_bavail * there.f_frsize, files=files)


def existing(path: Path) -> Path:
    """Returns a path, or the nearest folder above it that is there."""
    path = path.absolute()
    return next(one for one in (path, *path.parents) if is_there(one))


def is_one_disk(*paths: Path) -> bool:
    """Returns whether paths are, or will be, on one disk; False where that cannot be asked."""
    try:
        return len({existing(path).stat().st_dev for path in paths}) == 1
    except OSError:
        return False


def is_there(path: Path) -> bool:
    """Returns whether a path is there as far as can be seen: below a closed folder nothing is."""
    try:
        return path.exists()
    except PermissionError:  # Python 3.14 says False itself.
        return False


def shortage(needed: Room, free: Room) -> str:
    """Returns what is needed more than is free, ``{}`` standing for what needs it; "" if nothing.

    Such as "needs about 3.0 GB for {}, and 1.0 GB are free: make room".
    """
    if needed.size > free.size:
        text, left = sized(needed.size), f"{sized(free.size)} are free: make room"
    elif free.files is not None and (needed.files or 0) > free.files:
        text, left = f"{needed.files:,} files", f"{free.files:,} more can be made: remove some"
    else:
        return ""
    return f"needs about {text} for {{}}, and {left}"


def sized(count: float) -> str:
    """Returns a number of bytes in the unit that suits it, such as 4.2 kB."""
    for unit, least in _UNITS.items():
        if count >= least:
            return f"{count / least:,.1f} {unit}"
    return f"{count:.0f} bytes"


def roomy(room: Room) -> str:
    """Returns room in words: bytes, and files where they have a limit."""
    return sized(room.size) + ("" if room.files is None else f" and {room.files:,} files")


def mend_of(error: OSError, path: Path) -> str:
    """Returns what to do about an error of writing; empty where its reason says all.

    Args:
        error: what was raised.
        path: of what was written.
    """
    match error.errno:
        case errno.ENOSPC:
            with contextlib.suppress(OSError):
                return f"{roomy(free_room(path))} are free there; make room {_AGAIN}"
            return f"make room {_AGAIN}"
        case errno.EDQUOT:
            return f"your quota there is used up: remove your files, or have it raised, {_AGAIN}"
        case errno.EFBIG:
            return _mend_of_size()
        case errno.EROFS:
            return f"have that disk mounted for writing, or write to another one, {_AGAIN}"
    return ""


def _mend_of_size() -> str:
    """Returns what to do about a file that may not grow: room would not help."""
    import resource  # Windows has neither it nor such a limit.

    most, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    if most == resource.RLIM_INFINITY:
        return f"its file system takes no file of that size: write to another one {_AGAIN}"
    return f"a file may have {sized(most)} here: raise that limit (`ulimit -f unlimited`) {_AGAIN}"
