"""Whether the names of the sockets that a Ray of this machine opens are short enough for it."""

from __future__ import annotations

import os
import sys

from lttune.errors import ResourceError

_LONGEST = 103 if sys.platform == "darwin" else 107
"""Bytes that the name of a Unix socket may have, its folder included."""


def require_short_names() -> None:
    """Checks that Ray's sockets, which lie deep below the folder of temporary files, have room.

    Ray (2.60) would say so only when its processes are being started, and not what to do.

    Raises:
        ResourceError: naming the variable, how long it may be, and what to do.
    """
    variable = next((v for v in ("RAY_TMPDIR", *_OF_THE_SYSTEM) if v in os.environ), None)
    if variable is None or sys.platform == "win32":
        return  # Windows has no such sockets; /tmp is short.
    session = f"session_0000-00-00_00-00-00_000000_{os.getpid()}"
    below = len(f"/ray/{session}/sockets/plasma_store")
    length = len(os.fsencode(os.environ[variable].rstrip("/")))
    if length > _LONGEST - below:
        raise ResourceError(
            f"{variable} must be at most {_LONGEST - below} bytes long, so that the sockets that "
            f"Ray puts below it have names, got {length}: {os.environ[variable]}; "
            "export RAY_TMPDIR=/tmp or another short folder of your own"
        )


_OF_THE_SYSTEM = ("TMPDIR",) if sys.platform.startswith("linux") else ()
"""Variables besides its own by which Ray finds the folder."""
