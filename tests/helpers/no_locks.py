"""A file system that lacks locks, as Lustre without ``flock`` or NFS without its lock daemon."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from patience import wait_for

SERVER = Path(__file__).with_name("fuse_server.py")
DEVICE = "/dev/fuse"


def lacking() -> str:
    """Returns why there can be no such file system here; empty if there can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "a file system of our own is mounted by root of a Linux"
    if shutil.which("setpriv") is None:
        return "apt install util-linux"
    try:
        os.close(os.open(DEVICE, os.O_RDWR))
    except OSError as error:
        return f"{DEVICE}: {error.strerror}"
    tried = ["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    done = subprocess.run(tried, capture_output=True, text=True, check=False)
    return f"mounts are not permitted: {done.stderr.strip()}" if done.returncode else ""


@contextlib.contextmanager
def without_locks(folder: Path, place: Path, *, error: int = errno.ENOLCK) -> Iterator[None]:
    """Shows a folder at an empty one, where whoever asks for a lock gets an error instead.

    The server takes its mount away when it ends, and ends with this process.
    """
    ends = ["setpriv", "--pdeathsig", "TERM", "--", sys.executable, str(SERVER)]
    process = subprocess.Popen([*ends, str(folder), str(place), str(error)])
    try:
        wait_for(lambda: place.is_mount() or process.poll() is not None)
        assert process.poll() is None, "it could not be mounted"
        yield
    finally:
        process.terminate()
        process.wait()
