"""One's own pictures as a dataset: what is asked of their arrays, and what follows from them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lttune.data.dataset import Dataset, statistics
from lttune.data.files import npz, picture_folder
from lttune.errors import DataError, listed
from lttune.store.regular import expanded, is_of_system

Arrays = dict[str, np.ndarray]

MOST_CLASS = 2**31
"""Largest class that is looked at; beyond it a number of 64 bits without a sign has no other."""


def load(name: str) -> Dataset:
    """Returns the dataset at a path: an .npz file (``npz``), else a folder (``picture_folder``).

    Raises:
        DataError: if nothing is there, or it is not what it must be.
        StorageError: if it cannot be read.
    """
    path = expanded(name)
    if path.suffix == ".npz":
        arrays, called = npz.read_named(path)
        return from_arrays(name, arrays, "npz file", called)
    source, arrays = "folder of pictures", picture_folder.read(path)
    if passed := picture_folder.passed_over(path):
        systems = sum(is_of_system(entry.name) for entry in passed)
        source += f"; passed over: {systems} of operating systems, {len(passed) - systems} others"
    return from_arrays(name, arrays, source, {"train_x": "the pictures"})


def from_arrays(
    name: str, arrays: Arrays, source: str, called: Mapping[str, str] | None = None
) -> Dataset:
    """Returns the dataset of the arrays train_x, train_y, test_x and test_y.

    Mean and deviation are those of the training pictures; a tenth of these, at most 5,000, are the
    customary validation split.

    Args:
        name: the path, as given; it is in no digest.
        arrays: pictures (uint8) as [N, H, W], [N, H, W, C] or [N, C, H, W] with 1 or 3 channels,
            and whole-number classes from 0, [N].
        source: what the arrays came from, for the record.
        called: array -> what it is called there, if otherwise.

    Raises:
        DataError: naming the array, its rule and what was found.
    """
    names = {key: key for key in arrays} | dict(called or {})
    train_x, test_x = (_pictures(name, names[key], arrays[key]) for key in ("train_x", "test_x"))
    if train_x.shape[1:] != test_x.shape[1:]:
        rule = f"pictures of {names['train_x']}'s shape {train_x.shape[1:]}"
        _refuse(name, names["test_x"], rule, test_x.shape)
    train_y = _classes(name, names["train_y"], arrays["train_y"], len(train_x))
    test_y = _classes(name, names["test_y"], arrays["test_y"], len(test_x))
    classes = int(train_y.max()) + 1
    if classes < 2 or len(train_y) < 2:
        _refuse(name, names["train_y"], "two examples and two classes or more", np.unique(train_y))
    if classes > len(train_y):
        # The network has an output for each: one label gone wrong could ask for any number of them.
        rule = f"classes below the number of its pictures, {len(train_y)}"
        _refuse(name, names["train_y"], rule, classes - 1)
    missing = np.setdiff1d(np.arange(classes), train_y)
    if len(missing):
        # Labels from 1 would have an output that nothing is trained for, and count in chance too.
        rule = f"the classes 0 to {classes - 1}, each with a picture"
        mend = "; the labels begin at 1: subtract 1 from all of them" if [*missing] == [0] else ""
        _refuse(name, names["train_y"], rule, f"none of {listed(missing.tolist())}{mend}")
    if test_y.max() >= classes:
        rule = f"the classes 0 to {classes - 1} of {names['train_y']}"
        _refuse(name, names["test_y"], rule, int(test_y.max()))
    mean, std = statistics(train_x, 255)
    if not np.all(std):
        _refuse(name, names["train_x"], "pixels that differ, in every channel", f"deviation {std}")
    return Dataset(
        name=name,
        train_x=train_x,
        train_y=train_y,
        test_x=test_x,
        test_y=test_y,
        classes=classes,
        scale=255,
        mean=mean,
        std=std,
        validation=min(5000, max(1, len(train_y) // 10)),
        source=source,
    )


def _pictures(name: str, key: str, x: np.ndarray) -> np.ndarray:
    """Returns pictures as [N, H, W] if they are grey, as [N, 3, H, W] if they have colours."""
    if x.dtype != np.uint8:
        _refuse(name, key, "uint8, pixels from 0 to 255", x.dtype)
    if x.ndim not in (3, 4) or 0 in x.shape:
        _refuse(name, key, "[N, H, W], [N, H, W, C] or [N, C, H, W], none of them 0", x.shape)
    if x.ndim == 4:
        first, last = x.shape[1] in (1, 3), x.shape[3] in (1, 3)
        if first == last:
            _refuse(name, key, "pictures with 1 or 3 channels, first or last", x.shape)
        x = x if first else x.transpose(0, 3, 1, 2)
        x = x[:, 0] if x.shape[1] == 1 else x
    return np.ascontiguousarray(x)


def _classes(name: str, key: str, y: np.ndarray, count: int) -> np.ndarray:
    if not np.issubdtype(y.dtype, np.integer):
        _refuse(name, key, "whole numbers, classes from 0", y.dtype)
    if y.shape != (count,):
        _refuse(name, key, f"one class for each of the {count} pictures, [{count}]", y.shape)
    lowest, highest = int(y.min()), int(y.max())
    if lowest < 0 or highest > MOST_CLASS:
        bad = lowest if lowest < 0 else highest
        _refuse(name, key, "classes from 0", bad)
    return y.astype(np.int64)


def _refuse(name: str, key: str, rule: str, found: object) -> None:
    raise DataError(f"{name}: {key} must be {rule}, got {found}")
