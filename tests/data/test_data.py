"""Datasets by name, and the one that needs no file."""

import numpy as np
import pytest
from small_mnist import put

from lttune.data import load
from lttune.errors import ConfigError


def test_an_unknown_dataset_is_refused_with_the_nearest_name():
    with pytest.raises(
        ConfigError, match=r"data\.name must be one of .*fashion-mnist, mnist; .*'mnist'"
    ):
        load("mnits")


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"LTTUNE_DATA": "chosen", "XDG_CACHE_HOME": "cache"}, "chosen"),
        ({"LTTUNE_DATA": "", "XDG_CACHE_HOME": "cache"}, "cache/lttune"),
    ],
)
def test_the_environment_names_the_folder(files, monkeypatch, tmp_path, variables, expected):
    for name, value in variables.items():
        monkeypatch.setenv(name, value and str(tmp_path / value))
    put(tmp_path / expected / "mnist", files)
    assert load("mnist").source == "folder"


def test_digits_are_scikit_learns(digits):
    from sklearn.datasets import load_digits

    assert (digits.train_x.shape, digits.test_x.shape) == ((1437, 8, 8), (360, 8, 8))
    assert (digits.train_x.dtype, digits.train_y.dtype) == (np.uint8, np.int64)
    pixels, classes = load_digits(return_X_y=True)
    theirs = sorted(zip(map(bytes, pixels.astype(np.uint8)), classes, strict=True))
    x, y = np.concatenate([digits.train_x, digits.test_x]), [*digits.train_y, *digits.test_y]
    assert sorted(zip(map(bytes, x), y, strict=True)) == theirs


def test_digits_become_inputs_of_mean_0_and_variance_1(digits):
    inputs = (digits.train_x / digits.scale - digits.mean) / digits.std
    assert inputs.mean() == pytest.approx(0, abs=1e-5)
    assert inputs.std() == pytest.approx(1, abs=1e-5)
    assert digits.train_x.max() == digits.scale


def test_digits_are_the_same_each_time(digits):
    assert load("digits").digest() == digits.digest()
    # The records of old studies hold this value: a change makes them another dataset's.
    assert digits.digest()[:16] == "e5e67fa8db6bbd92"
