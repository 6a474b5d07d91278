"""What is done to a whole dataset before it is used: pooling, blurring, the rotation task.

Pixels keep the dataset's own scaling. An input of a pooled picture is then the mean of the inputs
that it stands for, but for the rounding to whole pixel values, so that detail is all that is lost;
its variance is below 1 (standard deviation of MNIST's inputs: 1 at 28 x 28, 0.91 at 14 x 14,
0.75 at 7 x 7).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from lttune.config import DataConfig, require
from lttune.data.dataset import Dataset, validation_size
from lttune.data.drawn import counted
from lttune.errors import ConfigError, unknown

TASKS = ("classes", "rotation")
"""Values of ``data.task``."""
ANGLES = 4
"""Classes of "rotation"."""

Change = Callable[[np.ndarray], np.ndarray]


def shape_and_classes(dataset: Dataset, config: DataConfig) -> tuple[tuple[int, ...], int]:
    """Returns the shape of the pictures and the number of classes that ``as_asked`` would give.

    Raises:
        ConfigError: if the pictures cannot be pooled by these factors, or turned, or there is no
            such task.
    """
    shape = dataset.shape
    for field, factor in (("data.pool", config.pool), ("data.blur", config.blur)):
        if any(edge % factor for edge in shape[-2:]):
            size = " x ".join(map(str, shape[-2:]))
            raise ConfigError(f"{field} must divide pictures of {size}, got {factor}")
        if field == "data.pool":
            shape = (*shape[:-2], *(edge // factor for edge in shape[-2:]))
    if config.task not in TASKS:
        raise unknown("data.task", config.task, TASKS)
    if config.task == "rotation" and shape[-1] != shape[-2]:
        raise ConfigError(f"data.task must be 'classes' for pictures of shape {shape}")
    return shape, ANGLES if config.task == "rotation" else dataset.classes


def training_size(dataset: Dataset, config: DataConfig) -> int:
    """Returns how many examples a replicate is trained on: what validation and subsample leave.

    Raises:
        ConfigError: if validation leaves none.
    """
    pictures = len(dataset.train_y) * (ANGLES if config.task == "rotation" else 1)
    left = pictures - validation_size(dataset, config.validation)
    return max(1, counted(config.subsample, left))


def require_batch(field: str, batch_size: int, dataset: Dataset, config: DataConfig) -> None:
    """Checks that a batch takes no more examples than there are to be trained on.

    Args:
        field: path of the batch size.
        batch_size: examples a step.
        dataset: as it was loaded.
        config: what is done to it.

    Raises:
        ConfigError: if it does: each step would then be a whole epoch, of another size than asked.
    """
    most = training_size(dataset, config)
    rule = f"1..{most}, the training split of {dataset.name}"
    require(batch_size <= most, field, rule, batch_size)


def as_asked(dataset: Dataset, config: DataConfig) -> Dataset:
    """Returns the dataset as ``pool``, ``blur`` and ``task`` ask for it, pixels still uint8.

    Raises:
        ConfigError: as ``shape_and_classes`` does.
    """
    shape_and_classes(dataset, config)
    if config.pool > 1:
        dataset = _mapped(dataset, lambda x: shrunk(x, config.pool))
    if config.blur > 1:
        dataset = _mapped(dataset, lambda x: enlarged(shrunk(x, config.blur), config.blur))
    return rotations(dataset) if config.task == "rotation" else dataset


def shrunk(x: np.ndarray, factor: int) -> np.ndarray:
    """Returns pictures (uint8, [N, ..., H, W]) averaged over squares, halves rounded to even."""
    *lead, height, width = x.shape
    squares = x.reshape(*lead, height // factor, factor, width // factor, factor)
    return np.rint(squares.mean((-3, -1), dtype=np.float32)).astype(np.uint8)


def enlarged(x: np.ndarray, factor: int) -> np.ndarray:
    """Returns pictures whose every pixel became a square."""
    return x.repeat(factor, -2).repeat(factor, -1)


def rotations(dataset: Dataset) -> Dataset:
    """Returns every square picture turned by 0, 90, 180 and 270 degrees; the class is the angle."""

    def turned(x: np.ndarray) -> np.ndarray:
        return np.concatenate([np.rot90(x, k, (-2, -1)) for k in range(ANGLES)])

    def angles(y: np.ndarray) -> np.ndarray:
        return np.repeat(np.arange(ANGLES), len(y))

    return dataclasses.replace(
        dataset,
        train_x=turned(dataset.train_x),
        train_y=angles(dataset.train_y),
        test_x=turned(dataset.test_x),
        test_y=angles(dataset.test_y),
        classes=ANGLES,
    )


def _mapped(dataset: Dataset, change: Change) -> Dataset:
    return dataclasses.replace(
        dataset, train_x=change(dataset.train_x), test_x=change(dataset.test_x)
    )
