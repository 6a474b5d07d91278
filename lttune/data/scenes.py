"""Digit scenes: scikit-learn's digits in colour on coloured ground, for convolutional networks.

A picture has 16 x 16 pixels and three channels. The digit lies anywhere in it, in an ink whose
channels are each brighter than those of the ground, and all of it has a texture. So no single pixel
tells the class: test accuracy is 0.17 for a logistic regression, 0.68 for LeNet-300-100 (3,000
steps) and 0.97 for four small convolutions (2,000 steps of 64 pictures, Adam).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lttune.config.seeding import stream
from lttune.data import digits
from lttune.data.dataset import Dataset, statistics

EDGE = 16
TRAIN, TEST = 8000, 1500
"""Pictures that are drawn, each of the training digits 5 or 6 times, of the test digits 4 or 5."""


def load(folder: Path) -> Dataset:
    """Returns 8,000 training and 1,500 test pictures (uint8, [N, 3, 16, 16]).

    They are the same for every seed and replicate, and no digit occurs in both parts. The folder
    is not read.
    """
    source = digits.load(folder)
    rng = stream(0, 0, "digit-scenes")
    train_x, train_y = _scenes(source.train_x, source.train_y, TRAIN, rng)
    test_x, test_y = _scenes(source.test_x, source.test_y, TEST, rng)
    mean, std = statistics(train_x, 255)
    return Dataset(
        name="digit-scenes",
        train_x=train_x,
        train_y=train_y,
        test_x=test_x,
        test_y=test_y,
        classes=10,
        scale=255,
        mean=mean,
        std=std,
        validation=1000,
        source="scikit-learn",
    )


def _scenes(
    x: np.ndarray, y: np.ndarray, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Returns ``count`` scenes and their classes of digits (0..16, [N, 8, 8]), in whole numbers.

    Nothing is computed in floating point, so that every machine draws the same bytes.
    """
    chosen = np.concatenate([rng.permutation(len(y)) for _ in range(-(-count // len(y)))])[:count]
    coverage = np.zeros((count, 1, EDGE, EDGE), np.int64)
    down, right = rng.integers(0, EDGE - 8 + 1, (2, count))
    rows, columns = (at[:, None] + np.arange(8) for at in (down, right))
    at = np.arange(count)[:, None, None]
    coverage[at, 0, rows[:, :, None], columns[:, None, :]] = x[chosen]
    ground = rng.integers(0, 128, (count, 3, 1, 1))
    ink = ground + rng.integers(64, 129, ground.shape)
    patches = rng.integers(-24, 25, (count, 3, 4, 4)).repeat(4, -2).repeat(4, -1)
    grain = rng.integers(-8, 9, (count, 3, EDGE, EDGE))
    scenes = (ground * (16 - coverage) + ink * coverage) // 16 + patches + grain
    return np.clip(scenes, 0, 255).astype(np.uint8), y[chosen]
