"""Files that pass for MNIST, digits, and a script in npm's place."""

import pytest
from small_mnist import passing, unavailable

from lttune.data import Dataset, load, mnist


@pytest.fixture
def files(monkeypatch) -> dict[str, bytes]:
    """Four small files that pass for MNIST, and no source but the folder."""
    files = passing(monkeypatch)
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
