"""The loop of the tutorials: pictures become tensors one at a time, collected by a DataLoader."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Subset, SubsetRandomSampler
from torchvision import transforms

from benchmarks.baselines import BATCH_SIZE, EVAL_BATCH_SIZE, train
from benchmarks.trajectory import Timed, Workload
from lttune.trajectory.task import Ticket


class Pictures(torch.utils.data.Dataset[tuple[Tensor, int]]):
    """One picture at a time through PIL, as ``torchvision.datasets.MNIST`` gives it."""

    def __init__(self, x: np.ndarray, y: np.ndarray, mean: float, std: float) -> None:
        self.data = torch.from_numpy(x)
        self.targets = torch.from_numpy(y)
        normalize = transforms.Normalize((mean,), (std,))
        self.transform: Callable[[Image.Image], Tensor] = transforms.Compose(
            [transforms.ToTensor(), normalize]
        )

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        picture, target = self.data[index], int(self.targets[index])
        return self.transform(Image.fromarray(picture.numpy())), target

    def __len__(self) -> int:
        return len(self.data)


class Tutorial:
    """The loop over a DataLoader without worker processes, which is its default.

    It evaluates after its last step only: an evaluation takes seconds, and each costs the same.
    """

    def __init__(self, workload: Workload) -> None:
        data = workload.dataset
        self._pictures = Pictures(data.train_x, data.train_y, *workload.scaling)
        test = Pictures(data.test_x, data.test_y, *workload.scaling)
        validation = Subset(self._pictures, workload.indices[1].tolist())
        self._held_out = [DataLoader(part, EVAL_BATCH_SIZE) for part in (validation, test)]

    def level(self, ticket: Ticket, train_on: np.ndarray, steps: int) -> Timed:
        """Trains a level over a sampler of its examples."""
        sampler = SubsetRandomSampler(train_on.tolist())
        loader = DataLoader(self._pictures, BATCH_SIZE, sampler=sampler)
        return train(ticket, loader, self._held_out, once=True)
