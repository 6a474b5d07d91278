"""Digits: scikit-learn's 1,797 pictures of 8 x 8 pixels, part of its wheel, for trials and tests.

A copy of the test set of Alpaydin & Kaynak's optical recognition of handwritten digits (1998).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lttune.config.seeding import stream
from lttune.data.dataset import Dataset, statistics

TEST_PICTURES = 360
"""Pictures set aside for testing, the same ones for every seed and replicate."""
SCALE = 16


def load(folder: Path) -> Dataset:
    """Returns 1,437 training and 360 test pictures; the folder is not read."""
    # Importing scikit-learn takes longer than a test; runs on MNIST never need it.
    from sklearn.datasets import load_digits

    pixels, classes = load_digits(return_X_y=True)
    x = np.asarray(pixels, np.uint8).reshape(-1, 8, 8)
    y = np.asarray(classes, np.int64)
    order = stream(0, 0, "digits-test").permutation(len(y))
    test, train = np.sort(order[:TEST_PICTURES]), np.sort(order[TEST_PICTURES:])
    mean, std = statistics(x[train], SCALE)
    return Dataset(
        name="digits",
        train_x=x[train],
        train_y=y[train],
        test_x=x[test],
        test_y=y[test],
        classes=10,
        scale=SCALE,
        mean=mean,
        std=std,
        validation=237,
        source="scikit-learn",
    )
