"""Pipes, folders and pictures where files of pictures should be: one line, and no memory."""

from __future__ import annotations

import errno
import gzip
import io
import os
import struct
import tarfile
import zlib

import numpy as np
import pytest
from bounded import bounded, refusal
from PIL import Image
from small_mnist import put

from lttune.__main__ import main
from lttune.data import load, mnist
from lttune.data.files import archives
from lttune.errors import DataError, StorageError
from lttune.store.regular import ALWAYS_ROOM

X = (np.arange(480) % 256).astype(np.uint8).reshape(20, 4, 6)


# What is no file, or no folder.


@pytest.fixture(params=["pipe", "folder", "device"])
def other(request, tmp_path):
    """Makes something else where a file should be."""

    def make(path) -> str:
        if request.param == "pipe":
            os.mkfifo(path)
        elif request.param == "folder":
            path.mkdir()
        else:
            path.symlink_to("/dev/zero")
        return str(path)

    return make


REASONS = ("Neither a file nor a folder", "Is a directory", "is a directory")


def test_an_npz_file_that_is_none(other, tmp_path, capsys):
    path = other(tmp_path / "x.npz")
    assert refusal(path).startswith(f"{path} cannot be read: ")
    assert refusal(path).endswith(REASONS)
    assert main(["data", path]) == 74
    assert capsys.readouterr().err.count("\n") == 1


def test_a_picture_that_is_none(other, tmp_path):
    for name in ("ape", "bee"):
        (tmp_path / "own" / name).mkdir(parents=True)
        for number in range(5):
            Image.fromarray(X[number]).save(tmp_path / "own" / name / f"{number}.png")
    other(tmp_path / "own" / "bee" / "9.png")
    assert "bee/9.png is damaged or no picture: " in refusal(str(tmp_path / "own"))


@pytest.mark.parametrize("end", ["", ".gz"])
def test_a_file_of_mnist_that_is_none(other, files, tmp_path, end):
    put(tmp_path / "mnist", {n: data for n, data in files.items() if n != mnist.TEST_X})
    path = other(tmp_path / "mnist" / f"{mnist.TEST_X}{end}")
    with bounded(), pytest.raises(StorageError, match="cannot be read: ") as error:
        load("mnist", tmp_path)
    assert str(error.value).startswith(path)


def test_a_folder_of_pictures_that_is_none(tmp_path):
    (tmp_path / "own").write_text("a file")
    assert "is no folder of pictures" in refusal(str(tmp_path / "own"))
    os.mkfifo(tmp_path / "pipe")
    assert "is no folder of pictures" in refusal(str(tmp_path / "pipe"))
    assert "cannot be read: File name too long" in refusal(str(tmp_path / ("x" * 300)))
    for name in ("a\0b", "a\0b.npz"):
        assert "no path has such a character" in refusal(f"{tmp_path}/{name}")


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.write_text("a file")])
def test_a_data_folder_that_is_none_has_nothing_fetched(files, tmp_path, monkeypatch, make):
    def fetch(wanted):
        pytest.fail("something was fetched")

    for source in mnist.SOURCES:
        monkeypatch.setitem(mnist.SOURCES, source, fetch)
    make(tmp_path / "data")
    with pytest.raises(StorageError, match="data must be a folder, in which datasets are kept"):
        load("mnist", tmp_path / "data")


@pytest.mark.parametrize("name", ["~nobody-here/x.npz", "~nobody-here/pictures"])
def test_a_home_of_nobody_is_one_line(name, monkeypatch):
    assert refusal(name).startswith(f"{name} cannot be read: ")
    monkeypatch.setenv("LTTUNE_DATA", name)
    assert refusal("mnist").startswith(f"{name} cannot be read: ")


# Pictures.


def png(width: int, height: int) -> bytes:
    """Returns a PNG whose head promises a size, and that holds next to nothing."""

    def chunk(data: bytes) -> bytes:
        return struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data))

    head = b"IHDR" + struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(head) + chunk(b"IDAT" + zlib.compress(bytes(100)))


@pytest.mark.parametrize("size", [(9000, 9000), (100_000, 100_000), (2**31 - 1, 2**31 - 1)])
def test_a_picture_that_promises_more_than_its_bytes(tmp_path, size):
    for name in ("ape", "bee"):
        (tmp_path / name).mkdir()
        for number in range(5):
            (tmp_path / name / f"{number}.png").write_bytes(png(*size))
    text = refusal(str(tmp_path))
    assert text.startswith(f"{tmp_path}/ape/0.png ")
    assert "promises 9000 x 9000 pixels, more than its bytes can hold" in text or size[0] > 9000


def test_pictures_that_do_not_fit_into_memory_together(tmp_path, monkeypatch):
    for name in ("ape", "bee"):
        (tmp_path / name).mkdir()
        for number in range(5):
            Image.fromarray(X[number]).save(tmp_path / name / f"{number}.png")

    def empty(shape, dtype):
        raise MemoryError

    monkeypatch.setattr("lttune.data.files.picture_folder.np.empty", empty)
    assert refusal(str(tmp_path)) == "10 pictures of 6 x 4 pixels do not fit into memory"


def test_pictures_that_do_not_fit_into_the_memory_of_the_job(tmp_path, monkeypatch):
    # Linux would give the memory, and end the job that fills it.
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "1")
    x = np.repeat(np.arange(256, dtype=np.uint8), 4096).reshape(8, 256, 512)
    for name in ("ape", "bee"):
        (tmp_path / name).mkdir()
        for number in range(4):
            Image.fromarray(x[number]).save(tmp_path / name / f"{number}.png")
    assert load(str(tmp_path)).shape == (256, 512)
    Image.fromarray(x[0]).save(tmp_path / "ape" / "9.png")
    assert refusal(str(tmp_path)) == "9 pictures of 512 x 256 pixels do not fit into memory"


def test_no_program_is_started_for_a_picture(tmp_path):
    # Pillow hands PostScript to a program, whatever the file is called.
    script = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 6 4\n%%EndComments\nshowpage\n"
    for name in ("ape", "bee"):
        (tmp_path / name).mkdir()
        for number in range(5):
            (tmp_path / name / f"{number}.png").write_bytes(script)
    assert "ape/0.png is damaged or no picture: cannot identify" in refusal(str(tmp_path))


# Archives.


def test_a_packed_file_of_mnist_is_unpacked_as_far_as_its_bytes_go(files, tmp_path):
    bomb = {f"{mnist.TEST_X}.gz": gzip.compress(bytes(200 << 20))}
    put(tmp_path / "mnist", {n: data for n, data in files.items() if n != mnist.TEST_X} | bomb)
    with bounded(most=3 * ALWAYS_ROOM), pytest.raises(DataError, match="is damaged: expected md5"):
        load("mnist", tmp_path)


def test_a_member_of_holes_is_left_out():
    text = io.BytesIO()
    with tarfile.open(fileobj=text, mode="w", format=tarfile.GNU_FORMAT) as tar:
        hole = tarfile.TarInfo("hole")
        hole.type = tarfile.GNUTYPE_SPARSE
        tar.addfile(hole)
        plain = tarfile.TarInfo("plain")
        plain.size = 3
        tar.addfile(plain, io.BytesIO(b"abc"))
    text.seek(0)
    assert list(archives.members(text).values()) == [b"abc"]


@pytest.mark.parametrize("code", [errno.ESTALE, errno.EIO, errno.EMFILE, errno.EACCES])
def test_a_picture_that_cannot_be_read_is_not_called_damaged(tmp_path, monkeypatch, code):
    own(tmp_path)
    failing(monkeypatch, OSError(code, os.strerror(code)))
    with pytest.raises(StorageError) as error:
        load(str(tmp_path))
    assert str(error.value) == f"{tmp_path}/ape/0.png cannot be read: {os.strerror(code)}"


def test_a_picture_that_memory_cannot_hold_is_not_called_damaged(tmp_path, monkeypatch):
    own(tmp_path)
    failing(monkeypatch, MemoryError())
    with pytest.raises(DataError, match=r"ape/0\.png does not fit into memory$"):
        load(str(tmp_path))


def own(folder) -> None:
    for name in ("ape", "bee"):
        (folder / name).mkdir()
        for number in range(5):
            Image.fromarray(X[number]).save(folder / name / f"{number}.png")


def failing(monkeypatch, error: Exception) -> None:
    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr(Image, "open", fail)
