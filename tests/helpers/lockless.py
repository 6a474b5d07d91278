"""A file system without locks, as Lustre without ``-o flock``: one folder of this machine's."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest


def without_locks(patch: pytest.MonkeyPatch, folder: Path, number: int = errno.ENOSYS) -> None:
    """Has no file below a folder locked by this process, and those that it forks."""
    flock = fcntl.flock

    def failing(file: int, operation: int) -> None:
        if Path(f"/proc/self/fd/{file}").readlink().is_relative_to(folder):
            raise OSError(number, os.strerror(number))
        flock(file, operation)

    patch.setattr("fcntl.flock", failing)
