"""Files of arrays that promise more than they hold, or hold something else: one line, no memory."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
from bounded import refusal
from numpy.lib import format as npy

from lttune.data import load
from lttune.store.regular import ALWAYS_ROOM, most_memory

X = (np.arange(480) % 256).astype(np.uint8).reshape(20, 4, 6)
Y = np.arange(20) % 3


def member(array: np.ndarray) -> bytes:
    text = io.BytesIO()
    npy.write_array(text, array, allow_pickle=True)
    return text.getvalue()


def promised(shape, descr="|u1", after=b"") -> bytes:
    """Returns an .npy file whose head promises another array than it has."""
    text = io.BytesIO()
    npy.write_array_header_1_0(text, {"shape": shape, "fortran_order": False, "descr": descr})
    return text.getvalue() + after


def archive(path, members: dict[str, bytes], method=zipfile.ZIP_STORED) -> str:
    with zipfile.ZipFile(path, "w", method) as file:
        for name, data in members.items():
            file.writestr(f"{name}.npy", data)
    return str(path)


@pytest.mark.parametrize(
    ("shape", "descr"),
    [
        ((10**10, 28, 28), "|u1"),
        ((3 * 10**9,), "|u1"),
        ((20, 4, 6), "<f8"),
        ((20, 4, 5), "|u1"),
        ((2**40, 2**40, 2**40), "|u1"),
        ((10**30, 1, 1), "|u1"),
        ((-20, -4, 6), "|u1"),
        ((-1, 4, 6), "|u1"),
        ((20,), "|V1000000000"),
    ],
)
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_head_that_promises_other_bytes_than_there_are(tmp_path, shape, descr, method):
    data = promised(shape, descr, X.tobytes())
    path = archive(tmp_path / "x.npz", {"x": data, "y": member(Y)}, method)
    assert refusal(path).startswith(path)


def test_a_head_says_what_it_promises(tmp_path):
    data = {"x": promised((10**10, 28, 28), after=X.tobytes()), "y": member(Y)}
    path = archive(tmp_path / "x.npz", data)
    assert refusal(path) == (
        f"{path}: x promises 7840000000000 bytes, (10000000000, 28, 28), and has 480"
    )


@pytest.mark.parametrize("descr", ["|V0", "<U0", "|O"])
def test_types_of_no_bytes_or_of_objects_are_no_numbers(tmp_path, descr):
    data = promised((10**12,), descr)
    path = archive(tmp_path / "x.npz", {"x": data, "y": data})
    assert "is damaged or holds Python objects: " in refusal(path)


def test_what_is_packed_a_thousandfold_is_not_unpacked(tmp_path):
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        with file.open("x.npy", "w") as inside:
            inside.write(promised((256, 1024, 1024)))
            for _ in range(256):
                inside.write(bytes(1 << 20))
        file.writestr("y.npy", member(np.zeros(256, int)))
    assert path.stat().st_size < 1 << 20
    assert "more than a file of this size may fill in memory" in refusal(str(path))


def test_arrays_count_together(tmp_path, monkeypatch):
    names = ("train_x", "test_x", "train_y", "test_y")
    parts = dict(zip(names, map(member, (X, X, Y, Y)), strict=True))
    path = archive(tmp_path / "x.npz", parts)
    assert len(load(path).train_y) == 20
    monkeypatch.setattr("lttune.data.files.npz.most_memory", lambda size: 2 * len(parts["train_x"]))
    assert "promises" in refusal(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_members_that_numpy_does_not_pack_so_are_not_unpacked(tmp_path, method):
    path = archive(tmp_path / "x.npz", {"x": member(X), "y": member(Y)}, method)
    assert refusal(path) == f"{path}: x must be packed as numpy.savez does"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no array",
        b"\x93NUMPY\x01\x00",
        b"\x93NUMPY\x09\x00" + bytes(100),
        b"\x93NUMPY\x01\x00\x40\x00" + 64 * b"(",
        b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + 64 * b"(",
        b"\x93NUMPY\x01\x00\x10\x00{'descr': '|u1'}",
        b"\x93NUMPY\x01\x00\x40\x00" + b"__import__('os').getcwd()".ljust(64),
        promised((20, 4, 6), "|u1", X.tobytes()[:-1]),
        promised((20, 4, 6), "|u1", X.tobytes() + b"x"),
    ],
)
def test_members_that_are_no_arrays(tmp_path, data):
    path = archive(tmp_path / "x.npz", {"x": data, "y": member(Y)})
    assert refusal(path).startswith(path)


def test_a_flipped_bit_is_told(tmp_path):
    path = tmp_path / "x.npz"
    archive(path, {"x": member(X), "y": member(Y)})
    data = bytearray(path.read_bytes())
    data[data.index(X.tobytes()) + 100] ^= 1
    path.write_bytes(data)
    assert "is damaged" in refusal(str(path))


def test_members_that_are_encrypted_or_folders(tmp_path):
    path = tmp_path / "x.npz"
    archive(path, {"x": member(X), "y": member(Y)})
    data = bytearray(path.read_bytes())
    for at in (data.index(b"PK\x03\x04") + 6, data.index(b"PK\x01\x02") + 8):
        data[at] |= 1
    path.write_bytes(data)
    assert "is damaged" in refusal(str(path))
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("x.npy/", b"")
    assert "must hold the arrays" in refusal(str(path))


def test_one_array_alone_is_no_npz(tmp_path):
    (tmp_path / "x.npz").write_bytes(member(X))
    assert "is damaged" in refusal(str(tmp_path / "x.npz"))


@pytest.mark.parametrize("kind", [np.uint64, np.int64])
def test_a_class_that_is_a_mistake_asks_for_no_network(tmp_path, kind):
    for wrong in (20, 10**9, np.iinfo(kind).max):
        y = Y.astype(kind)
        y[3] = wrong
        parts = {"train_x": X, "train_y": y, "test_x": X, "test_y": Y}
        path = archive(tmp_path / "x.npz", {n: member(array) for n, array in parts.items()})
        assert "train_y must be classes " in refusal(path)


@pytest.mark.parametrize("size", [0, 1, 1000, ALWAYS_ROOM // 256, 10**9])
def test_memory_follows_the_bytes(size):
    assert most_memory(size) == max(64 << 20, 256 * size)


def test_arrays_that_do_not_fit_into_the_memory_of_the_job(tmp_path, monkeypatch):
    x, y = (
        np.arange(1 << 19, dtype=np.uint16).astype(np.uint8).reshape(32, 128, 128),
        np.arange(32) % 2,
    )
    np.savez_compressed(tmp_path / "x.npz", train_x=x, train_y=y, test_x=x, test_y=y)
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "2")
    assert load(str(tmp_path / "x.npz")).shape == (128, 128)
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "1")
    text = refusal(str(tmp_path / "x.npz"))
    assert text.endswith(
        "does not fit into memory: 1048832 bytes, of 1048576 that this job may use"
    )
