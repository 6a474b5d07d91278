"""Pictures that a function of one's own makes.

A study keeps what was made in its folder, so that who reads the study need not run the function.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lttune.config.own import is_own_code
from lttune.data import own
from lttune.data.dataset import Dataset
from lttune.data.files import npz
from lttune.errors import listed, quoted
from lttune.records.own import OwnCode, keep_part, known_part, sha256_of_texts
from lttune.store.files import subfolder

PICTURES = "data.name"
"""The setting that names datasets; those of a target and of a pretraining are known by it too."""
KEPT = "pictures"
"""The folder of a study in which they are kept."""


def made(name: str) -> Dataset:
    """Returns the dataset that a function of one's own makes, without arguments.

    It returns the arrays train_x, train_y, test_x and test_y, or x and y, as an .npz file has them.

    Raises:
        ConfigError: if it was not made known, raises an error, or returns something else.
        DataError: if the arrays are not what they must be.
    """
    part = known_part(PICTURES, name)
    found: Any = part.called()
    if not isinstance(found, Mapping):
        part.refuse(f"must return arrays by their names, got {quoted(found)}")
    names = next((n for n in (npz.ARRAYS, ("x", "y")) if found.keys() == set(n)), None)
    if names is None:
        got = listed([str(one) for one in found]) or "none"
        part.refuse(f"must return the arrays {', '.join(npz.ARRAYS)}, or x and y, got {got}")
    arrays, called = {one: np.asarray(found[one]) for one in names}, dict[str, str]()
    if "x" in arrays:
        arrays = npz.with_test_part(Path(name), arrays["x"], arrays["y"])
        called = npz.ARRAY_NAMES[-1]
    return own.from_arrays(name, arrays, "function of one's own", called)


def carried(codes: Iterable[OwnCode]) -> list[OwnCode]:
    """Returns the code that travels with trials: of functions that make pictures, these do."""
    return [code for code in codes if code.field != PICTURES]


def not_kept(folder: Path, datasets: Mapping[str, Dataset]) -> dict[str, Dataset]:
    """Returns the datasets that functions of one's own made and that a study has yet to keep.

    Those are among them of which its folder has a damaged file, or one of other pictures: who made
    the same before may make others now.
    """
    return {
        name: dataset
        for name, dataset in datasets.items()
        if is_own_code(name) and not npz.holds(_place(folder, name), _arrays(dataset))
    }


def keep_made(folder: Path, datasets: Mapping[str, Dataset]) -> None:
    """Writes pictures that functions of one's own made (``not_kept``) into the folder of a study.

    Raises:
        StorageError: if they cannot be written.
    """
    for name, dataset in datasets.items():
        path = subfolder(folder, KEPT) / _place(folder, name).name
        npz.write_sealed(path, _arrays(dataset))


def _arrays(dataset: Dataset) -> dict[str, np.ndarray]:
    return {name: getattr(dataset, name) for name in npz.ARRAYS}


def use_kept(sheet: Mapping[str, Any], folder: Path) -> None:
    """Makes the pictures known that a study keeps; no code is run.

    Args:
        sheet: the values of ``study.json``.
        folder: of the study.
    """
    for one in sheet.get("own", ()):
        if one["field"] == PICTURES:
            path = _place(folder, one["name"])
            keep_part(PICTURES, one["name"], one["source"], lambda path=path: npz.read_sealed(path))


def _place(folder: Path, name: str) -> Path:
    """Returns where a study keeps the pictures of a name, which may be any text."""
    return folder / KEPT / f"{sha256_of_texts(name)[:16]}.npz"
