"""What every dataset must be. One is tested here by being in LOADERS, unless it is fetched."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from lttune.config import ModelConfig
from lttune.data import LOADERS, load
from lttune.data.resident import resident
from lttune.models import build

FETCHED = {"mnist", "fashion-mnist", "cifar10", "cifar100"}
"""Those whose bytes have tests of their own."""


@pytest.fixture(scope="module", params=sorted(LOADERS.keys() - FETCHED))
def dataset(request):
    return load(request.param)


def test_it_has_pictures_of_bytes_and_a_class_for_each(dataset):
    for x, y in ((dataset.train_x, dataset.train_y), (dataset.test_x, dataset.test_y)):
        assert (x.dtype, y.dtype, x.shape[1:]) == (np.uint8, np.int64, dataset.shape)
        assert len(x) == len(y)
        assert set(y) == set(range(dataset.classes))
    assert len(dataset.shape) in (2, 3)
    assert 0 < dataset.validation < len(dataset.train_y)
    assert dataset.source


def test_no_test_picture_is_trained_on(dataset):
    assert {x.tobytes() for x in dataset.train_x}.isdisjoint(x.tobytes() for x in dataset.test_x)


def test_its_inputs_have_mean_0_and_variance_1_in_each_channel(dataset):
    x = dataset.train_x.reshape(len(dataset.train_x), -1, math.prod(dataset.shape[-2:]))
    shift, scale = (np.reshape(value, (-1, 1)) for value in (dataset.mean, dataset.std))
    inputs = (x / dataset.scale - shift) / scale
    assert inputs.mean((0, 2)) == pytest.approx(0, abs=1e-4)
    assert inputs.std((0, 2)) == pytest.approx(1, abs=1e-4)


def test_it_is_the_same_each_time_and_no_other(dataset):
    assert load(dataset.name).digest() == dataset.digest()
    others = [load(name).digest() for name in LOADERS.keys() - FETCHED - {dataset.name}]
    assert dataset.digest() not in others


def test_a_network_takes_it(dataset):
    network = build(ModelConfig(name="conv-2"), dataset.shape, dataset.classes)
    module = network.make()
    inputs, labels = resident(dataset)[0].batch(torch.arange(4))
    assert module(inputs).shape == (4, dataset.classes)
    assert labels.tolist() == dataset.train_y[:4].tolist()
