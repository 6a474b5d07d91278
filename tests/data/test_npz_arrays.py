"""What an .npz file of one's own calls its arrays: one of three sets of names, and no other's."""

from __future__ import annotations

import numpy as np
import pytest

from lttune.data import load
from lttune.errors import DataError

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (12, 4, 6)).astype(np.uint8)
Y = np.arange(12) % 3
SETS = "train_x, train_y, test_x, test_y; x_train, y_train, x_test, y_test; x, y; found "


def refusal(path, values) -> str:
    """Returns what is said of a file, which must be one line that begins with its path."""
    np.savez(path, **values)
    with pytest.raises(DataError) as error:
        load(str(path))
    told = str(error.value)
    assert told.startswith(f"{path}")
    assert "\n" not in told
    return told.removeprefix(f"{path}")


@pytest.mark.parametrize(
    "names", ["train_x train_y test_x test_y", "x_train y_train x_test y_test"]
)
def test_either_order_of_the_names_is_known(tmp_path, names):
    values = dict(zip(names.split(), (GREY[:9], Y[:9], GREY[9:], Y[9:]), strict=True))
    np.savez(tmp_path / "own.npz", **values, mean=np.ones(3))
    np.testing.assert_array_equal(load(str(tmp_path / "own.npz")).test_x, GREY[9:])


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("x y train_x train_y", f"sets, alone: {SETS}train_x, train_y, x, y"),
        (
            "x y train_x train_y test_x test_y",
            f", alone: {SETS}test_x, test_y, train_x, train_y, x",
        ),
        ("x more train_x", f"sets, alone: {SETS}train_x, x, more"),
        ("train_x train_y test_x", f"sets: {SETS}test_x, train_x, train_y"),
        ("x more", f"sets: {SETS}x, more"),
        ("images labels", f"sets: {SETS}images, labels"),
    ],
)
def test_arrays_of_no_set_or_of_several_are_named(tmp_path, names, message):
    values = {name: Y if "y" in name else GREY for name in names.split()}
    told = refusal(tmp_path / "own.npz", values)
    assert told.startswith(" must hold the arrays of one of these sets")
    assert message in told


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"x": GREY / 255, "y": Y}, "x must be uint8, pixels from 0 to 255, got float64"),
        ({"x": GREY, "y": Y * 2}, "y must be the classes 0 to 4, each with a picture, got none of"),
        (
            {"x_train": GREY, "y_train": Y, "x_test": GREY[:2, 1:], "y_test": Y[:2]},
            "x_test must be pictures of x_train's shape (4, 6), got (2, 3, 6)",
        ),
        (
            {"x_train": GREY, "y_train": Y, "x_test": GREY[:2], "y_test": Y[:2] + 3},
            "y_test must be the classes 0 to 2 of y_train, got 4",
        ),
    ],
)
def test_arrays_are_called_as_their_file_does(tmp_path, values, message):
    assert refusal(tmp_path / "own.npz", values).startswith(f": {message}")
