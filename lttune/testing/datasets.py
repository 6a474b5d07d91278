"""What every dataset must be: those of the table and one's own."""

from __future__ import annotations

import math

import numpy as np
import torch

from lttune.config import ModelConfig
from lttune.data import Dataset, load
from lttune.data.made import PICTURES
from lttune.data.resident import resident
from lttune.models import build
from lttune.records.own import use_named
from lttune.testing.expected import expect

NEAR_STANDARD = 1e-4
"""How far mean and variance of a channel's inputs may be from 0 and 1."""


def check_dataset(name: str) -> None:
    """Checks everything that is asked of a dataset.

    Args:
        name: as ``data.name``: of the table, the path of an .npz file or of a folder of pictures,
            FILE.py:FUNCTION or PACKAGE.MODULE:FUNCTION.

    Raises:
        AssertionError: with what it must be and is not.
        ConfigError: if no dataset has this name.
        DataError: if it is damaged, or not there.
    """
    use_named(PICTURES, name)
    dataset = load(name)
    check_parts(dataset)
    check_parts_apart(dataset)
    check_scaled(dataset)
    again = load(name).digest() == dataset.digest()
    expect(again, f"{name} must be the same pictures each time that it is loaded")
    check_batches(dataset)


def check_parts(dataset: Dataset) -> None:
    """Checks that it has pictures of bytes, a class for each, and pictures of each class."""
    name, classes = dataset.name, set(range(dataset.classes))
    for x, y in ((dataset.train_x, dataset.train_y), (dataset.test_x, dataset.test_y)):
        plain = (x.dtype, y.dtype, x.shape[1:]) == (np.uint8, np.int64, dataset.shape)
        expect(plain, f"{name} must have pictures of uint8 in one shape, and classes of int64")
        expect(len(x) == len(y) > 0, f"{name} must have a class for each picture, and pictures")
        expect(set(y.tolist()) <= classes, f"{name} must have classes below {dataset.classes}")
    every = set(dataset.train_y.tolist()) == classes
    expect(every, f"{name} must have training pictures of each of its {dataset.classes} classes")
    expect(len(dataset.shape) in (2, 3), f"{name} must have pictures [H, W] or [C, H, W]")
    fits = 0 < dataset.validation < len(dataset.train_y)
    expect(fits, f"{name} must set fewer pictures aside for validation than there are to train on")
    expect(bool(dataset.source), f"{name} must say where it came from")


def check_parts_apart(dataset: Dataset) -> None:
    """Checks that no test picture is trained on."""
    trained_on = {x.tobytes() for x in dataset.train_x}
    both = sum(x.tobytes() in trained_on for x in dataset.test_x)
    expect(not both, f"{dataset.name} must have no test picture to train on, got {both}")


def check_scaled(dataset: Dataset) -> None:
    """Checks that its training inputs have mean 0 and variance 1 in each channel."""
    x = dataset.train_x.reshape(len(dataset.train_x), -1, math.prod(dataset.shape[-2:]))
    shift, gain = (np.reshape(value, (-1, 1)) for value in (dataset.mean, dataset.std))
    inputs = (x / dataset.scale - shift) / gain
    near = np.allclose(inputs.mean((0, 2)), 0, atol=NEAR_STANDARD)
    near = near and np.allclose(inputs.std((0, 2)), 1, atol=NEAR_STANDARD)
    expect(near, f"{dataset.name} must have the mean and the deviation of its training pictures")


def check_batches(dataset: Dataset) -> None:
    """Checks that a network takes a batch of it."""
    module = build(ModelConfig(name="lenet-12"), dataset.shape, dataset.classes).make()
    inputs, labels = resident(dataset)[0].batch(torch.arange(4))
    logits = tuple(module(inputs).shape) == (len(labels), dataset.classes)
    expect(logits, f"{dataset.name} must be pictures that a network takes")
    same = labels.tolist() == dataset.train_y[:4].tolist()
    expect(same, f"{dataset.name} must give each picture its class")
