"""What every dataset must be. One is tested here by being in LOADERS, unless it is fetched.

The checks are those of ``lttune.testing``, which pictures of one's own are asked as well.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lttune.config import ModelConfig
from lttune.data import LOADERS, load
from lttune.data.resident import resident
from lttune.models import build
from lttune.testing import check_dataset
from lttune.testing import datasets as checks

FETCHED = {"mnist", "fashion-mnist", "cifar10", "cifar100"}
"""Those whose bytes have tests of their own."""


@pytest.fixture(scope="module", params=sorted(LOADERS.keys() - FETCHED))
def dataset(request):
    return load(request.param)


def test_it_has_pictures_of_bytes_and_a_class_for_each(dataset):
    checks.check_parts(dataset)
    assert set(dataset.test_y) == set(range(dataset.classes))


def test_no_test_picture_is_trained_on(dataset):
    checks.check_parts_apart(dataset)


def test_its_inputs_have_mean_0_and_variance_1_in_each_channel(dataset):
    checks.check_scaled(dataset)


def test_it_is_the_same_each_time_and_no_other(dataset):
    assert load(dataset.name).digest() == dataset.digest()
    others = [load(name).digest() for name in LOADERS.keys() - FETCHED - {dataset.name}]
    assert dataset.digest() not in others


def test_a_network_takes_it(dataset):
    checks.check_batches(dataset)
    network = build(ModelConfig(name="conv-2"), dataset.shape, dataset.classes)
    assert network.make()(resident(dataset)[0].batch(torch.arange(4))[0]).shape[0] == 4


PICTURES = np.random.default_rng(0).integers(0, 256, (60, 3, 8, 8), dtype=np.uint8)
Y = np.arange(60) % 3


@pytest.fixture
def own(tmp_path):
    def save(test_x, test_y):
        path = tmp_path / "own.npz"
        np.savez(path, train_x=PICTURES[:40], train_y=Y[:40], test_x=test_x, test_y=test_y)
        return str(path)

    return save


def test_pictures_of_ones_own_are_asked_the_same(own):
    check_dataset(own(PICTURES[40:], Y[40:]))


def test_a_test_picture_that_is_trained_on_is_found(own):
    with pytest.raises(AssertionError, match="must have no test picture to train on, got 2"):
        check_dataset(own(PICTURES[38:], Y[38:]))


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("train_x", PICTURES[:40].astype(np.int16), "pictures of uint8"),
        ("train_y", Y[:39], "a class for each picture"),
        ("test_y", np.full(20, 3), "must have classes below 3"),
        ("train_y", Y[:40] // 2, "pictures of each of its 3 classes"),
        ("validation", 40, "fewer pictures aside"),
        ("source", "", "where it came from"),
    ],
)
def test_what_no_dataset_may_be_is_found(own, field, value, told):
    found = load(own(PICTURES[40:], Y[40:]))
    object.__setattr__(found, field, value)
    with pytest.raises(AssertionError, match=told):
        checks.check_parts(found)


def test_another_mean_is_found(own):
    found = load(own(PICTURES[40:], Y[40:]))
    object.__setattr__(found, "mean", (0.1, 0.1, 0.1))
    with pytest.raises(AssertionError, match="mean and the deviation"):
        checks.check_scaled(found)
