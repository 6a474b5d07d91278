"""Examples that live on the device; a batch is a gather, not a DataLoader."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lttune.data.dataset import Dataset


@dataclass(frozen=True)
class Examples:
    """Pictures (uint8, [N, ...]) and classes (int64, [N]) with the scaling of the pixels.

    An input is ``(pixel - shift) * gain`` in float32: one gather, one conversion.
    """

    x: Tensor
    y: Tensor
    shift: float
    gain: float

    def __len__(self) -> int:
        return len(self.y)

    def batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the float32 inputs and classes of the examples at ``index`` (int64, [B])."""
        index = index.to(self.y.device)
        return self._inputs(self.x.index_select(0, index)), self.y.index_select(0, index)

    def slice(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """Returns the float32 inputs and classes of consecutive examples."""
        return self._inputs(self.x[start:stop]), self.y[start:stop]

    def take(self, index: np.ndarray) -> Examples:
        """Returns a copy of the examples at ``index`` (int64)."""
        at = torch.from_numpy(index).to(self.y.device)
        return Examples(self.x[at], self.y[at], self.shift, self.gain)

    def _inputs(self, x: Tensor) -> Tensor:
        return x.to(torch.float32).sub_(self.shift).mul_(self.gain)


def resident(dataset: Dataset, device: str = "cpu") -> tuple[Examples, Examples]:
    """Returns a dataset's training and test examples on a device.

    On the CPU the tensors share the arrays' memory, so that the workers of a machine share one.
    """
    shift, gain = dataset.mean * dataset.scale, 1 / (dataset.std * dataset.scale)

    def tensor(array: np.ndarray) -> Tensor:
        with warnings.catch_warnings():
            # Ray's shared arrays are read-only; nothing here writes to them.
            warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
            return torch.from_numpy(array).to(device)

    train = Examples(tensor(dataset.train_x), tensor(dataset.train_y), shift, gain)
    return train, Examples(tensor(dataset.test_x), tensor(dataset.test_y), shift, gain)
