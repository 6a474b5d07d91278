"""The loops that lttune is compared with, as one finds them in PyTorch code.

``plain`` is good code: the dataset lies in memory as float tensors, and a batch is an index.
``dataloader`` is what the tutorials teach: pictures turned into tensors one at a time, collected by
a DataLoader. Both train LeNet-300-100 with ``torch.optim.Adam`` as it comes.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision import transforms

from lttune.data.dataset import Dataset, split

Loop = Callable[[int, int | None], float]
"""(steps, eval_every or None for no evaluation) -> seconds."""
Batches = Iterable[tuple[Tensor, Tensor]]

BATCH_SIZE = 60
EVAL_BATCH_SIZE = 1000
LR = 1.2e-3


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


def lenet(inputs: int, classes: int) -> nn.Module:
    """Returns LeNet-300-100 as PyTorch initialises it."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(inputs, 300),
        nn.ReLU(),
        nn.Linear(300, 100),
        nn.ReLU(),
        nn.Linear(100, classes),
    )


def resident(dataset: Dataset, x: np.ndarray) -> Tensor:
    """Returns the pictures as network inputs, one row each."""
    floats = torch.from_numpy(x).float() / dataset.scale
    return ((floats - dataset.mean) / dataset.std).flatten(1)


def evaluate(model: nn.Module, batches: Batches) -> tuple[float, float]:
    """Returns mean loss and accuracy."""
    model.eval()
    loss, correct, count = 0.0, 0, 0
    with torch.no_grad():
        for x, y in batches:
            logits = model(x)
            loss += nn.functional.cross_entropy(logits, y, reduction="sum").item()
            correct += int((logits.argmax(1) == y).sum())
            count += len(y)
    model.train()
    return loss / count, correct / count


def train(
    model: nn.Module,
    epoch: Callable[[], Batches],
    validation: Batches,
    steps: int,
    eval_every: int | None,
) -> float:
    """Trains for ``steps`` steps, epoch after epoch, and returns the seconds that it took."""
    optimizer = torch.optim.Adam(model.parameters(), lr=LR)
    batches = itertools.chain.from_iterable(epoch() for _ in itertools.count())
    start = time.perf_counter()
    for step, (x, y) in enumerate(itertools.islice(batches, steps), start=1):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        if eval_every is not None and step % eval_every == 0:
            evaluate(model, validation)
    return time.perf_counter() - start


def plain(dataset: Dataset) -> Loop:
    """Returns the loop over a resident dataset; a batch is a slice of a random order."""
    chosen, held_out = split(dataset, None, seed=0, replicate=0)
    x, y = resident(dataset, dataset.train_x[chosen]), torch.from_numpy(dataset.train_y[chosen])
    held_x = resident(dataset, dataset.train_x[held_out]).split(EVAL_BATCH_SIZE)
    held_y = torch.from_numpy(dataset.train_y[held_out]).split(EVAL_BATCH_SIZE)
    validation = list(zip(held_x, held_y, strict=True))

    def epoch() -> Batches:
        return ((x[index], y[index]) for index in torch.randperm(len(y)).split(BATCH_SIZE))

    def level(steps: int, eval_every: int | None) -> float:
        model = lenet(x.shape[1], dataset.classes)
        return train(model, epoch, validation, steps, eval_every)

    return level


def dataloader(dataset: Dataset) -> Loop:
    """Returns the tutorials' loop over a DataLoader without workers, which is its default."""
    chosen, held_out = split(dataset, None, seed=0, replicate=0)
    loaders = [
        DataLoader(
            Pictures(dataset.train_x[index], dataset.train_y[index], dataset.mean, dataset.std),
            batch_size=batch_size,
            shuffle=shuffle,
        )
        for index, batch_size, shuffle in (
            (chosen, BATCH_SIZE, True),
            (held_out, EVAL_BATCH_SIZE, False),
        )
    ]

    def level(steps: int, eval_every: int | None) -> float:
        model = lenet(int(np.prod(dataset.shape)), dataset.classes)
        return train(model, lambda: loaders[0], loaders[1], steps, eval_every)

    return level
