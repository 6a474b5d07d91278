"""A dataset as resident arrays; batches are taken by index, no DataLoader.

Pictures stay uint8, four times smaller than floats, so that Ray shares one copy between the
workers of a machine; they become floats a batch at a time.

Shape suffixes: N examples, then the shape of one picture.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from lttune.config.seeding import stream
from lttune.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Training and test examples with what turns a pixel into a network's input.

    An input is ``(pixel / scale - mean) / std``.
    """

    name: str
    train_x: np.ndarray
    """uint8, [N, ...]: the pictures that training and validation share."""
    train_y: np.ndarray
    """int64, [N]: classes from 0."""
    test_x: np.ndarray
    test_y: np.ndarray
    classes: int
    scale: float
    """Pixel value that stands for 1."""
    mean: float | tuple[float, ...]
    """Mean of ``pixel / scale``, one for all pixels or one a channel."""
    std: float | tuple[float, ...]
    """Standard deviation likewise."""
    validation: int
    """Customary size of the validation split."""
    source: str
    """Where the bytes came from, for the record."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one picture."""
        return self.train_x.shape[1:]

    def digest(self) -> str:
        """Returns the SHA-256 of the pictures, the classes and their scaling."""
        sha = hashlib.sha256(f"{self.scale}|{self.mean}|{self.std}|{self.classes}".encode())
        for array in (self.train_x, self.train_y, self.test_x, self.test_y):
            sha.update(f"{array.dtype}{array.shape}".encode())
            sha.update(np.ascontiguousarray(array).data)
        return sha.hexdigest()


def statistics(
    x: np.ndarray, scale: float
) -> tuple[float | tuple[float, ...], float | tuple[float, ...]]:
    """Returns mean and standard deviation of ``pixel / scale``, rounded to six decimals.

    Args:
        x: pictures (uint8): [N, H, W] gives one number each, [N, C, H, W] one a channel.
        scale: pixel value that stands for 1.
    """
    channels = 1 if x.ndim == 3 else x.shape[1]
    counts = np.zeros((channels, 256), np.int64)
    # A count of every value is exact, and the pictures never become floats all at once.
    for start in range(0, len(x), 4096):
        part = x[start : start + 4096].reshape(-1, channels, x.shape[-2] * x.shape[-1])
        counts += [np.bincount(part[:, c].ravel(), minlength=256) for c in range(channels)]
    values, total = np.arange(256) / scale, counts.sum(1)
    means = counts @ values / total
    deviations = np.sqrt((counts * (values - means[:, None]) ** 2).sum(1) / total)
    mean, std = (tuple(round(float(v), 6) for v in of) for of in (means, deviations))
    return (mean[0], std[0]) if x.ndim == 3 else (mean, std)


def validation_size(dataset: Dataset, validation: int | None) -> int:
    """Returns the number of validation examples of ``data.validation`` for this dataset.

    Raises:
        ConfigError: if no training example would be left.
    """
    size = dataset.validation if validation is None else validation
    if size >= len(dataset.train_y):
        most = len(dataset.train_y) - 1
        raise ConfigError(f"data.validation must be 1..{most} for {dataset.name}, got {size}")
    return size


def split(
    dataset: Dataset, validation: int | None, seed: int, replicate: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the indices (int64) of a replicate's training and validation examples.

    Drawn from the replicate's own "split" stream: MNIST gives 55,000 and 5,000.
    """
    size = validation_size(dataset, validation)
    order = stream(seed, replicate, "split").permutation(len(dataset.train_y))
    return np.sort(order[size:]), np.sort(order[:size])
