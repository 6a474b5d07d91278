"""Datasets by name: pictures and classes in memory, and how a replicate splits them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from lttune.data import digits, mnist
from lttune.data.dataset import Dataset, split
from lttune.errors import unknown

__all__ = ["Dataset", "load", "split"]

LOADERS: dict[str, Callable[[Path], Dataset]] = {"mnist": mnist.load, "digits": digits.load}


def load(name: str, folder: Path | None = None) -> Dataset:
    """Returns a dataset, fetched into the folder if it is not there yet.

    Args:
        name: mnist or digits.
        folder: where datasets are kept. None is the environment's ``LTTUNE_DATA``, else a
            cache folder of the user.

    Raises:
        ConfigError: if no dataset has this name.
        DataError: if the dataset is damaged or can be had nowhere.
        StorageError: if the folder cannot be read or written.
    """
    if name not in LOADERS:
        raise unknown("data.name", name, LOADERS)
    return LOADERS[name](_default_folder() if folder is None else folder)


def _default_folder() -> Path:
    if chosen := os.environ.get("LTTUNE_DATA"):
        return Path(chosen).expanduser()
    own = {"win32": "~/AppData/Local", "darwin": "~/Library/Caches"}.get(sys.platform, "~/.cache")
    return Path(os.environ.get("XDG_CACHE_HOME") or own).expanduser() / "lttune"
