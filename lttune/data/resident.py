"""Examples that live on the device; a batch is a gather, not a DataLoader."""

from __future__ import annotations

import dataclasses
import warnings
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lttune.data.augmentation import augmented
from lttune.data.dataset import Dataset

Scaling = float | Tensor
"""One number, or one a channel: float32, [C, 1, 1]."""


@dataclass(frozen=True)
class Examples:
    """Pictures (uint8, [N, ...]) and classes (int64, [N]) with the scaling of the pixels.

    An input is ``(pixel - shift) * gain`` in float32: one gather, one conversion.
    """

    x: Tensor
    y: Tensor
    shift: Scaling
    gain: Scaling
    augment: str = "none"
    """What is done to a picture each time that it is ``drawn`` for training."""

    def __len__(self) -> int:
        return len(self.y)

    def batch(self, index: Tensor, rng: np.random.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Returns the float32 inputs and classes of the examples at ``index`` (int64, [B]).

        With a stream, the pictures are augmented as ``augment`` says.
        """
        drawn = self.drawn(index, rng)
        return drawn._inputs(drawn.x), drawn.y

    def drawn(self, index: Tensor, rng: np.random.Generator | None = None) -> Examples:
        """Returns a copy of the examples at ``index`` (int64, [B]) as a training step takes them.

        With a stream, the pictures are augmented as ``augment`` says; nothing more is done to them.
        """
        index = index.to(self.y.device)
        x = self.x.index_select(0, index)
        if rng is not None and self.augment != "none":
            x = augmented(x, self.augment, rng)
        return dataclasses.replace(self, x=x, y=self.y.index_select(0, index), augment="none")

    def slice(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """Returns the float32 inputs and classes of consecutive examples."""
        return self._inputs(self.x[start:stop]), self.y[start:stop]

    def take(self, index: np.ndarray) -> Examples:
        """Returns a copy of the examples at ``index`` (int64)."""
        return self.drawn(torch.from_numpy(index))

    def relabelled(self, labels: np.ndarray) -> Examples:
        """Returns the same pictures with other classes (int64, [N])."""
        return dataclasses.replace(self, y=_tensor(labels, str(self.y.device)))

    def _inputs(self, x: Tensor) -> Tensor:
        return x.to(torch.float32).sub_(self.shift).mul_(self.gain)


def resident(dataset: Dataset, device: str = "cpu") -> tuple[Examples, Examples]:
    """Returns a dataset's training and test examples on a device.

    On the CPU the tensors share the arrays' memory, so that the workers of a machine share one.
    """
    shift: Scaling
    gain: Scaling
    if isinstance(dataset.mean, float) and isinstance(dataset.std, float):
        shift, gain = dataset.mean * dataset.scale, 1 / (dataset.std * dataset.scale)
    else:
        mean, std = (torch.tensor(v).view(-1, 1, 1).to(device) for v in (dataset.mean, dataset.std))
        shift, gain = mean * dataset.scale, 1 / (std * dataset.scale)

    def examples(x: np.ndarray, y: np.ndarray) -> Examples:
        return Examples(_tensor(x, device), _tensor(y, device), shift, gain)

    return examples(dataset.train_x, dataset.train_y), examples(dataset.test_x, dataset.test_y)


def _tensor(array: np.ndarray, device: str) -> Tensor:
    with warnings.catch_warnings():
        # Ray's shared arrays are read-only; nothing here writes to them.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array).to(device)
