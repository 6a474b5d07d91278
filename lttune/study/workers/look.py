"""What a node of a cluster finds when it looks at itself before the first trial of a study."""

from __future__ import annotations

import contextlib
import getpass
import os
import time
from pathlib import Path
from typing import Any

from ray._private import utils

from lttune.errors import legible
from lttune.records.capacity import capacity
from lttune.records.provenance import cpu_model
from lttune.store.files import reason_of
from lttune.store.remote.places import free_behind, url_trouble
from lttune.store.remote.url import is_url
from lttune.store.temporary import temporary_beside
from lttune.training.engines import FALLBACK, lack_here, make

SEEN_S = 5.0
"""Seconds within which what another node wrote must be seen: network disks show it late."""


def look(mark: str, engine: str, device: str) -> dict[str, Any]:
    """Returns plain values, in the order in which the driver judges them.

    Args:
        mark: what the driver wrote into the store: a file, or an object behind a URL.
        engine: which one the driver chose.
        device: cpu or cuda.
    """
    mine = capacity()
    lacks = {name: lack_here(name, device) for name in dict.fromkeys((engine, FALLBACK))}
    # No GPU is lent to who only looks.
    able = [name for name, lack in lacks.items() if not lack and device == "cpu"]
    return {
        "disk": url_trouble(mark) if is_url(mark) else disk_trouble(Path(mark)),
        # Of a folder that all see, the driver asks.
        "free": _free(mark) if is_url(mark) else None,
        "lacks": lacks,
        "numerics": {name: make(name, device).numerics for name in able},
        "cpu": cpu_model(),
        "cores": mine.cores,
        "cores_by": mine.cores_by,
        # What Ray takes where nobody says how many cores it has.
        "counted": int(utils.get_num_cpus(override_docker_cpu_warning=True)),
    }


def _free(mark: str) -> tuple[int, int | None] | None:
    """Returns what is free for the copy of a store behind a URL; None if nobody can tell."""
    try:
        free = free_behind(mark)
    except OSError:
        return None
    return free.size, free.files


def disk_trouble(mark: Path, patience_s: float = SEEN_S) -> str:
    """Returns what this node cannot do with the folder of the mark, and a mend; "" if nothing."""
    folder, patience = mark.parent, time.monotonic() + patience_s
    try:
        while not mark.exists():
            if time.monotonic() > patience:
                return _unseen(folder)
            with contextlib.suppress(OSError):
                list(folder.iterdir())  # Has a network disk ask its server.
            time.sleep(0.1)
        own = temporary_beside(folder / "answer")
        own.write_text("")
        own.unlink()
    except OSError as error:
        why = reason_of(error)
        return f"cannot write to {folder} ({why}): let {_user()} write there, as whom Ray runs"
    return ""


def _unseen(folder: Path) -> str:
    what = "has another folder at" if folder.is_dir() else "does not see"
    return (
        f"{what} {folder}: mount there what the driver has there, or give --out a folder that all "
        "nodes share, or --store such a folder or a URL"
    )


def _user() -> str:
    try:
        return legible(f"the user {getpass.getuser()}")
    except (KeyError, OSError):  # A number without a name, as containers give.
        return f"the user {os.getuid()}"
