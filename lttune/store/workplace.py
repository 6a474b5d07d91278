"""The folders of a study for one driver: made, proved to be its own, locked, and tidy."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from lttune.store.files import require_inside
from lttune.store.locks import only_driver
from lttune.store.remote.places import require_store
from lttune.store.store import require_writable
from lttune.store.temporary import remove_abandoned

SCRATCH = "ray"
"""Folder of a study in which Ray writes; lttune reads nothing of it."""
FAILURES = "failures"
"""Folder of a study with what failed trials raised."""
WRITTEN = (SCRATCH, FAILURES, "figures")
"""Folders that a run makes in its study's."""


@contextlib.contextmanager
def workplace(folder: Path, store: str) -> Iterator[None]:
    """Makes a study's folders, keeps other drivers out, and removes what killed ones left there.

    Args:
        folder: the study's.
        store: where its cells are, a folder or a URL.

    Raises:
        StorageError: if one cannot be written or locked, or leads elsewhere, or a URL cannot be
            used.
        LockedError: if another driver is running the study.
    """
    require_store(store)
    require_writable(folder)
    for name in WRITTEN:
        require_inside(folder / name, folder)
    with only_driver(folder):
        shutil.rmtree(folder / SCRATCH, ignore_errors=True)
        for one in (folder, *(folder / name for name in WRITTEN[1:])):
            remove_abandoned(one)
        yield
