"""Whether there is room where results go, for bytes and for files, and a store can be used."""

from __future__ import annotations

import os
from pathlib import Path

from lttune.errors import StorageError
from lttune.exchange.health.inspection import Inspection
from lttune.store.disk import Room, existing, free_room, roomy
from lttune.store.files import reason_of
from lttune.store.remote.places import local_folder, remarks, require_usable

LEAST_ROOM = Room(size=10**9, files=10_000)
"""Room below which a study of some size may not end; LeNet-300-100's 25 levels take 3 MB, and 150
files."""


def room_finding(out: Path) -> Inspection:
    """Returns what there is to say of the room where results go.

    Args:
        out: a folder; it need not be there yet.
    """
    place, code = existing(out), StorageError.exit_code
    try:
        free = free_room(place)
    except OSError as error:
        trouble, mend = f"it cannot be looked at: {reason_of(error)}", "give another --out"
        return Inspection(what=f"room at {place}", trouble=trouble, mend=mend, exit_code=code)
    what = f"{roomy(free)} are free at {place}"
    if not os.access(place, os.W_OK):
        trouble, mend = "it cannot be written to", f"chmod u+w {place}, or give another --out"
        return Inspection(what=what, trouble=trouble, mend=mend, exit_code=code)
    if free.size < LEAST_ROOM.size:
        least = roomy(Room(size=LEAST_ROOM.size, files=None))
        mend = "make room, or give another --out"
        return Inspection(what=what, trouble=f"fewer than {least}", mend=mend)
    if free.files is not None and free.files < (LEAST_ROOM.files or 0):
        mend = "remove files, or give another --out"
        return Inspection(what=what, trouble=f"fewer than {LEAST_ROOM.files:,} files", mend=mend)
    return Inspection(what=what)


def store_findings(store: str | None) -> list[Inspection]:
    """Returns what there is to say of a store of networks; nothing stays made or changed.

    Args:
        store: its folder or URL; of None there is nothing to say.
    """
    if store is None:
        return []
    try:
        if not require_usable(store):
            mend = "see that it is what you mean: a study would make it"
            return [Inspection(what=store, trouble="there is no such folder", mend=mend)]
        told = remarks(store) if local_folder(store).exists() else ()
    except StorageError as error:
        return [Inspection(what=store, trouble=str(error), exit_code=error.exit_code)]
    mend = "have it mounted with locks (Lustre: -o flock) if that costs too much"
    found = [Inspection(what=store, trouble=text, mend=mend) for text in told]
    return found or [Inspection(what=f"{store} can be used")]
