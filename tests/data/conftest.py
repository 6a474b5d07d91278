"""Files that pass for MNIST, digits, and a script in npm's place."""

import struct

import numpy as np
import pytest
from small_mnist import unavailable

from lttune.data import Dataset, load, mnist
from lttune.data.files import archives


@pytest.fixture
def files(monkeypatch) -> dict[str, bytes]:
    """Four small files that pass for MNIST, and no source but the folder."""
    rng = np.random.default_rng(0)
    files = {}
    for x, y, count in ((mnist.TRAIN_X, mnist.TRAIN_Y, 5), (mnist.TEST_X, mnist.TEST_Y, 3)):
        files[x] = struct.pack(">4I", 0x803, count, 28, 28) + rng.bytes(count * 784)
        files[y] = struct.pack(">2I", 0x801, count) + bytes(range(count))
    monkeypatch.setattr(mnist, "MD5", {name: archives.md5(data) for name, data in files.items()})
    for source in mnist.SOURCES:
        monkeypatch.setitem(mnist.SOURCES, source, unavailable)
    return files


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("digits")


@pytest.fixture
def npm(monkeypatch, tmp_path):
    """Puts a shell script in npm's place."""

    def install(script: str) -> None:
        (tmp_path / "npm").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "npm").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    return install
