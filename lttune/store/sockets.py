"""The folder of the sockets and logs that a Ray of this machine has: private, of a short name."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from lttune.errors import ResourceError, StorageError
from lttune.store.files import write_errors

_LONGEST = 103 if sys.platform == "darwin" else 107
"""Bytes that the name of a Unix socket may have, its folder included."""
_OF_THE_SYSTEM = ("TMPDIR",) if sys.platform.startswith("linux") else ()
"""Variables besides its own by which Ray finds the folder of temporary files."""


def sessions_folder() -> Path | None:
    """Returns where a Ray of this machine keeps sockets and logs; None where Ray chooses by itself.

    Ray (2.60) lets every user read and write all folders that it makes, the one that it is given
    included. So that lies in another, which ``make_private`` shuts. Windows has no such modes, and
    a folder of temporary files for each user.
    """
    if sys.platform == "win32":
        return None
    variable = _variable()
    beside = (os.environ[variable] if variable else "") or "/tmp"
    return Path(beside, f"ray-{os.getuid()}", "ray").absolute()


def make_private(folder: Path) -> None:
    """Makes a folder that nobody but this user can enter, or shuts one that is there.

    Raises:
        StorageError: if it cannot be made, or what is there is a link or another user's.
    """
    with write_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Where anybody may make folders, this one may be somebody's trap.
        if not os.path.lexists(folder):
            folder.mkdir(mode=stat.S_IRWXU, exist_ok=True)
        there = folder.lstat()
        if not stat.S_ISDIR(there.st_mode) or there.st_uid != os.getuid():
            raise StorageError(
                f"{folder} must be a folder of your own, which Ray's sockets and logs lie in: move "
                "what is there away, or export RAY_TMPDIR=FOLDER with a short folder of your own"
            )
        folder.chmod(stat.S_IRWXU)


def require_short_names() -> None:
    """Checks that Ray's sockets, which lie deep below the folder of temporary files, have room.

    Ray (2.60) would say so only when its processes are being started, and not what to do.

    Raises:
        ResourceError: naming the variable, how long it may be, and what to do.
    """
    variable, folder = _variable(), sessions_folder()
    if variable is None or folder is None:
        return  # /tmp is short.
    length = len(os.fsencode(os.environ[variable].rstrip("/")))
    session = f"session_0000-00-00_00-00-00_000000_{os.getpid()}"
    socket = folder / session / "sockets" / "plasma_store"
    most = _LONGEST - (len(os.fsencode(socket)) - length)
    if length > most:
        raise ResourceError(
            f"{variable} must be at most {most} bytes long, so that the sockets that Ray puts "
            f"below it have names, got {length}: {os.environ[variable]}; "
            "export RAY_TMPDIR=/tmp or another short folder of your own"
        )


def _variable() -> str | None:
    """Returns the variable that names the folder of temporary files for Ray, as it looks for it."""
    return next((v for v in ("RAY_TMPDIR", *_OF_THE_SYSTEM) if v in os.environ), None)
