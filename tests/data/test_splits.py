"""Statistics of pictures, and the validation examples of a replicate."""

import numpy as np
import pytest

from lttune.data import Dataset, load, split
from lttune.data.dataset import statistics
from lttune.errors import ConfigError


@pytest.mark.parametrize("shape", [(30, 5, 4), (30, 3, 5, 4), (5000, 2, 2)])
def test_statistics_are_those_of_numpy(shape):
    x = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    mean, std = statistics(x, 255)
    axes = (0, 2, 3) if len(shape) == 4 else None
    np.testing.assert_allclose(mean, (x / 255).mean(axes), atol=1e-6)
    np.testing.assert_allclose(std, (x / 255).std(axes), atol=1e-6)
    assert isinstance(mean, tuple if len(shape) == 4 else float)


def like_mnist() -> Dataset:
    none = np.zeros((60_000, 1), np.uint8)
    y = np.zeros(60_000, np.int64)
    return Dataset(
        name="like-mnist",
        train_x=none,
        train_y=y,
        test_x=none,
        test_y=y,
        classes=10,
        scale=255,
        mean=0,
        std=1,
        validation=5000,
        source="test",
    )


@pytest.mark.parametrize(("validation", "expected"), [(None, 5000), (1, 1), (59_999, 59_999)])
def test_a_split_is_disjoint_and_complete(validation, expected):
    train, held_out = split(like_mnist(), validation, seed=0, replicate=0)
    assert (len(train), len(held_out)) == (60_000 - expected, expected)
    assert (train.dtype, held_out.dtype) == (np.int64, np.int64)
    np.testing.assert_array_equal(np.sort(np.concatenate([train, held_out])), np.arange(60_000))


def test_digits_split_into_1200_and_237(digits):
    assert [len(part) for part in split(digits, None, 0, 0)] == [1200, 237]


def test_a_split_depends_on_seed_and_replicate_alone(digits):
    drawn = {(s, r): split(digits, None, s, r)[1].tobytes() for s in (0, 1) for r in (0, 1)}
    assert len(set(drawn.values())) == 4
    assert split(load("digits"), None, 1, 1)[1].tobytes() == drawn[1, 1]


def test_a_split_leaves_something_to_learn_from(digits):
    with pytest.raises(ConfigError, match=r"data.validation must be 1..1436 for digits, got 1437"):
        split(digits, 1437, 0, 0)
