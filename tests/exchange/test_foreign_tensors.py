"""Files of tensors from elsewhere: what cannot be computed with is one line, in little memory."""

from __future__ import annotations

import os
import struct
import warnings
import zipfile

import pytest
import torch
from bounded import bounded
from exchanged import NETWORK, ticket
from safetensors.torch import save_file

from lttune.__main__ import main
from lttune.errors import ConfigError, DataError, StorageError
from lttune.exchange.tensors import masks_in, read
from lttune.exchange.tickets import place

ONES = torch.ones(20, 64)
NAME = "fc1.weight_mask"


def quantised():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.quantize_per_tensor(ONES, 1.0, 0, torch.qint8)


STRANGE = {
    "coo": (ONES.to_sparse, "one of layout torch.sparse_coo"),
    "csr": (ONES.to_sparse_csr, "one of layout torch.sparse_csr"),
    "quantised": (quantised, "a quantised one"),
    "complex": (lambda: ONES.to(torch.complex64), "one of torch.complex64"),
    "meta": (lambda: ONES.to("meta"), "one without values"),
    "float8": (lambda: ONES.to(torch.float8_e4m3fn), "one of torch.float8_e4m3fn"),
    "uint16": (lambda: ONES.to(torch.uint16), "one of torch.uint16"),
}


@pytest.mark.parametrize("kind", STRANGE)
@pytest.mark.filterwarnings("ignore")
def test_a_tensor_that_is_no_plain_one_is_told(tmp_path, capsys, kind):
    make, told = STRANGE[kind]
    path = tmp_path / "x.pt"
    torch.save({NAME: make()}, path)
    expected = f"{path}: {NAME} must be a dense tensor of real numbers, got {told}"
    with bounded(), pytest.raises(DataError) as error:
        read(path)
    assert str(error.value) == expected
    good = tmp_path / "good.safetensors"
    save_file({"fc1.weight_mask": ONES}, good)
    assert main(["masks", str(path), str(good)]) == 4
    assert capsys.readouterr().err == f"lttune: error: {expected}\n"


def test_a_type_of_a_safetensors_file_that_is_no_number_is_told(tmp_path):
    save_file({NAME: ONES.to(torch.float8_e5m2)}, tmp_path / "x.safetensors")
    with pytest.raises(DataError, match=r"got one of torch\.float8_e5m2$"):
        read(tmp_path / "x.safetensors")
    head = b'{"x":{"dtype":"F77","shape":[1],"data_offsets":[0,1]}}'
    (tmp_path / "y.safetensors").write_bytes(struct.pack("<Q", len(head)) + head + b"x")
    with pytest.raises(DataError, match="is damaged: ") as error:
        read(tmp_path / "y.safetensors")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int64, torch.float16])
def test_plain_types_are_read(tmp_path, dtype):
    _, mask = ticket(NETWORK)
    path = tmp_path / "x.pt"
    torch.save({f"{n}_mask": keep.to(dtype) for n, keep in mask.items()}, path)
    found = masks_in(read(path)).of(NETWORK)
    assert all(torch.equal(found[name], keep) for name, keep in mask.items())


# What promises more than it holds.


def test_a_tensor_of_one_value_that_has_any_shape(tmp_path):
    path = tmp_path / "x.pt"
    torch.save({NAME: torch.ones(1).expand(10**6, 10**6)}, path)
    assert path.stat().st_size < 10_000
    with bounded(), pytest.raises(DataError, match=r"promises .1000000, 1000000., more than"):
        read(path)


def test_tensors_count_together(tmp_path):
    path = tmp_path / "x.pt"
    one = torch.ones(1 << 20)
    torch.save({f"{number}_mask": one for number in range(1000)}, path)
    with bounded(most=200 << 20), pytest.raises(DataError, match=r"promises .1048576,., more than"):
        read(path)


def test_a_mask_that_stands_for_many_is_read(tmp_path):
    torch.save({NAME: torch.ones(1).expand(20, 64)}, tmp_path / "x.pt")
    assert masks_in(read(tmp_path / "x.pt")).masks["fc1.weight"].all()


def test_a_packed_archive_is_not_unpacked(tmp_path):
    torch.save({NAME: ONES}, tmp_path / "x.pt")
    with (
        zipfile.ZipFile(tmp_path / "x.pt") as plain,
        zipfile.ZipFile(tmp_path / "y.pt", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in plain.namelist():
            packed.writestr(name, plain.read(name))
    with pytest.raises(DataError, match=r"y\.pt must not be packed: '.*' is"):
        read(tmp_path / "y.pt")


def test_a_tensor_that_counts_more_than_its_record_is_one_line(tmp_path):
    torch.save({NAME: torch.ones(300)}, tmp_path / "x.pt")
    with (
        zipfile.ZipFile(tmp_path / "x.pt") as plain,
        zipfile.ZipFile(tmp_path / "y.pt", "w") as more,
    ):
        for name in plain.namelist():
            # 60,000 instead of 300 elements, as pickle writes them.
            more.writestr(name, plain.read(name).replace(b"M\x2c\x01", b"M\x60\xea"))
    with pytest.raises(DataError, match=r"y\.pt is no safetensors and no torch file: ") as error:
        read(tmp_path / "y.pt")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("<Q", 1 << 40) + b"{" + bytes(100),
        struct.pack("<Q", 8) + b'{"a": 1}',
        struct.pack("<Q", 60) + b'{"x":{"dtype":"F32","shape":[999999999],"data_offsets":[0,4]}}',
        b"PK\x03\x04" + bytes(100),
        b"PK\x05\x06" + bytes(18),
        b"\x80\x02" + 100 * b"(",
        b"\x80\x02\x8a\xff" + bytes(20),
        b"\x80\x04\x95" + b"\xff" * 8,
    ],
)
def test_junk_is_one_line(tmp_path, data):
    (tmp_path / "x.pt").write_bytes(data)
    with bounded(), pytest.raises(DataError) as error:
        read(tmp_path / "x.pt")
    assert str(error.value).startswith(str(tmp_path / "x.pt"))
    assert "\n" not in str(error.value)


# What is no file.


@pytest.mark.parametrize("flag", ["--mask", "--start"])
@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
def test_what_is_no_file_is_one_line(made, tmp_path, capsys, kind, flag):
    path = tmp_path / "x.pt"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(StorageError, match=r"^cannot read .*x\.pt: (Neither|Is a dir)"):
        read(path)
    good = tmp_path / "good.safetensors"
    _, mask = ticket(NETWORK)
    save_file({f"mask.{name}": keep for name, keep in mask.items()}, good)
    given = ["--mask", str(path)] if flag == "--mask" else ["--mask", str(good), flag, str(path)]
    assert main(["transfer", str(made), *given]) == 74
    told = capsys.readouterr().err
    assert told.startswith(f"lttune: error: cannot read {path}: ")
    assert told.count("\n") == 1


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_masks_compares_files_only(tmp_path, capsys, make):
    make(tmp_path / "x")
    assert main(["masks", str(tmp_path / "x"), str(tmp_path / "x")]) == 2
    assert capsys.readouterr().err.startswith("lttune: error: a ticket must be a file or results/N")


def test_a_ticket_of_endless_digits_is_none():
    with pytest.raises(ConfigError, match=r"^a ticket must be a file or results/NAME:TRIAL"):
        place(f"results/x:{5000 * '1'}/0/0")
    assert place(f"results/x:{9 * '9'}/0/0").trial == 999_999_999
