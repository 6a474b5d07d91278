"""Files that pass for MNIST, in folders and archives."""

import gzip
import io
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest

from lttune.data import mnist
from lttune.data.files import archives
from lttune.errors import DataError


def passing(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Returns four small files that pass for MNIST from now on."""
    rng = np.random.default_rng(0)
    files = {}
    for x, y, count in ((mnist.TRAIN_X, mnist.TRAIN_Y, 5), (mnist.TEST_X, mnist.TEST_Y, 3)):
        files[x] = struct.pack(">4I", 0x803, count, 28, 28) + rng.bytes(count * 784)
        files[y] = struct.pack(">2I", 0x801, count) + bytes(range(count))
    monkeypatch.setattr(mnist, "MD5", {name: archives.md5(data) for name, data in files.items()})
    return files


def unavailable(wanted):
    raise DataError("out of order")


def put(place: Path, files: dict[str, bytes]) -> None:
    place.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (place / name).write_bytes(data)


def gzipped(files: dict[str, bytes]) -> dict[str, bytes]:
    return {f"{name}.gz": gzip.compress(data) for name, data in files.items()}


def kept(place: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in place.iterdir()}


def pack(path: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w:gz") as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
