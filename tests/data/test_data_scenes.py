"""Digit scenes: the same everywhere, no digit in both parts, too hard for a linear model."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import RidgeClassifier
from torch import nn

from lttune.data import load
from lttune.data.resident import resident


@pytest.fixture(scope="module")
def scenes():
    return load("digit-scenes")


def test_scenes_are_the_same_each_time(scenes):
    assert (scenes.train_x.shape, scenes.test_x.shape) == ((8000, 3, 16, 16), (1500, 3, 16, 16))
    assert scenes.train_x.dtype == np.uint8
    assert load("digit-scenes").digest() == scenes.digest()
    # The records of old studies hold this value: a change makes them another dataset's.
    assert scenes.digest()[:16] == "b3beac2728dcf1f4"


def test_each_part_has_the_digits_of_its_own_part(scenes):
    digits = load("digits")
    for y, of, often in ((scenes.train_y, digits.train_y, 5), (scenes.test_y, digits.test_y, 4)):
        counts, base = np.bincount(y), np.bincount(of)
        assert (counts >= often * base).all()
        assert (counts <= (often + 1) * base).all()


def test_inputs_have_mean_0_and_variance_1_in_each_channel(scenes):
    train, _ = resident(scenes)
    x = train.slice(0, len(train))[0]
    torch.testing.assert_close(x.mean((0, 2, 3)), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(x.std((0, 2, 3)), torch.ones(3), atol=1e-4, rtol=0)


def test_a_linear_model_learns_next_to_nothing(scenes):
    x, y = (of.reshape(len(of), -1) / 255 for of in (scenes.train_x, scenes.test_x))
    model = RidgeClassifier().fit(x, scenes.train_y)
    assert 0.1 < model.score(y, scenes.test_y) < 0.3


@pytest.mark.slow
def test_a_small_convolutional_network_learns_them(scenes):
    train, test = resident(scenes)
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for pair in (3, 16), (16, 32), (32, 64):
        layers += [nn.Conv2d(*pair, 3, padding=1), nn.BatchNorm2d(pair[1]), nn.ReLU()]
        layers += [nn.MaxPool2d(2)]
    network = nn.Sequential(*layers, nn.Flatten(), nn.Linear(256, 64), nn.ReLU(), nn.Linear(64, 10))
    steps, rng = 300, np.random.default_rng(0)
    optimizer = torch.optim.Adam(network.parameters())
    rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=steps)
    for _ in range(steps):
        x, y = train.batch(torch.from_numpy(rng.integers(0, len(train), 64)))
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(x), y).backward()
        optimizer.step()
        rates.step()
    network.eval()
    with torch.no_grad():
        x, y = test.slice(0, len(test))
        assert (network(x).argmax(1) == y).float().mean() > 0.93
