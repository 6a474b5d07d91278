"""Datasets by name: pictures and classes in memory, and how a replicate splits them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from lttune.config.lottery.data import is_path, require_dataset
from lttune.config.own import is_own_code
from lttune.data import cifar, digits, mnist, own, scenes
from lttune.data.dataset import Dataset, split
from lttune.data.files.collection import nothing_fetched
from lttune.data.made import made
from lttune.store.regular import caches, expanded

__all__ = ["FETCHED", "Dataset", "data_folder", "load", "split"]

LOADERS: dict[str, Callable[[Path], Dataset]] = {
    "mnist": mnist.load,
    "fashion-mnist": mnist.load_fashion,
    "cifar10": cifar.load10,
    "cifar100": cifar.load100,
    "digits": digits.load,
    "digit-scenes": scenes.load,
}

FETCHED = ("mnist", "fashion-mnist", "cifar10", "cifar100")
"""Those whose files lie in the data folder; the others are made of packages."""


def load(name: str, folder: Path | None = None, fetches: bool = True) -> Dataset:
    """Returns a dataset, fetched into the folder if it is not there yet.

    Args:
        name: a name of ``LOADERS``, the path of an .npz file or of a folder of pictures, or that of
            a function of one's own that was made known.
        folder: where datasets are kept. None is the environment's ``LTTUNE_DATA``, else a
            cache folder of the user.
        fetches: whether it may be fetched: not for a name that a stranger's file gives.

    Raises:
        ConfigError: if no dataset has this name.
        DataError: if the dataset is damaged or can be had nowhere.
        StorageError: if the folder cannot be read or written.
    """
    require_dataset("data.name", name)
    if is_own_code(name):
        return made(name)
    if is_path(name):
        return own.load(name)
    with contextlib.nullcontext() if fetches else nothing_fetched():
        return LOADERS[name](data_folder() if folder is None else folder)


def data_folder() -> Path:
    """Returns where datasets are kept: ``LTTUNE_DATA``, else a cache folder of the user.

    Raises:
        StorageError: if the ~ in it stands for no home.
    """
    if chosen := os.environ.get("LTTUNE_DATA"):
        return expanded(chosen)
    return caches()
