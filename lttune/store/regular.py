"""What a file of somebody else's may be, and how much memory what it promises may take."""

from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path

from lttune.errors import StorageError, lacks_memory, quoted

ALWAYS_ROOM = 64 << 20
"""Bytes that any file may fill in memory, however short it is."""
MOST_UNPACKED = 256
"""Bytes in memory for each byte of a file. Pictures pack to a twentieth at best."""
OF_SYSTEMS = {
    *("__macosx", "icon\r"),
    *("thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "system volume information"),
    *("@eadir", "#recycle", "lost+found"),
}
"""What macOS, Windows, network disks and Linux leave in folders, in small letters, dots apart."""


def regular_size(path: Path) -> int:
    """Returns the size of a file in bytes; of anything that is none, opening it could never end.

    Raises:
        FileNotFoundError: if nothing is there.
        IsADirectoryError: if it is a folder.
        OSError: if it is a named pipe, a socket or a device.
    """
    found = path.stat()
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "Neither a file nor a folder", str(path))
    return found.st_size


def is_of_system(name: str) -> bool:
    """Returns whether an entry of a folder is one that nobody put there, or a hidden one."""
    return name.startswith(".") or name.lower() in OF_SYSTEMS


def is_of_content(error: Exception) -> bool:
    """Returns whether an error of reading a regular file is about what the file holds.

    A damaged archive may point to before its own beginning, where no file can be read.
    """
    if lacks_memory(error):
        return False
    return not isinstance(error, OSError) or error.errno == errno.EINVAL


def most_memory(size: int) -> int:
    """Returns how many bytes a file of so many may fill in memory.

    A packed file of a few bytes can promise any number, and some libraries reserve it at once.
    """
    return max(ALWAYS_ROOM, MOST_UNPACKED * size)


def expanded(name: str) -> Path:
    """Returns a path whose ~ is the home that it stands for.

    Raises:
        StorageError: if it stands for none, or the name can be that of no file.
    """
    if "\0" in name:
        raise StorageError(f"{quoted(name)} cannot be read: no path has such a character")
    try:
        return Path(name).expanduser()
    except RuntimeError as error:
        raise StorageError(f"{name} cannot be read: {error}") from None


def caches() -> Path:
    """Returns lttune's folder among the user's caches.

    Raises:
        StorageError: if the user has no home that is known.
    """
    own = {"win32": "~/AppData/Local", "darwin": "~/Library/Caches"}.get(sys.platform, "~/.cache")
    return expanded(os.environ.get("XDG_CACHE_HOME") or own) / "lttune"
