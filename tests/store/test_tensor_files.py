"""Safetensors files are those of safetensors, for whoever the umask lets read them."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import torch
from safetensors.torch import load_file, save_file

from lttune.exchange import tensors as exchanged
from lttune.store.formats.tensor_files import write_tensors

TENSORS = {
    "fc1.weight": torch.arange(6.0).reshape(2, 3),
    "fc1.mask": torch.tensor([True, False]),
    "out": torch.tensor(1, dtype=torch.int64),
    "half": torch.ones(3, dtype=torch.bfloat16),
}


@pytest.fixture(params=[0o022, 0o027, 0o077], ids=oct)
def umask(request) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.mark.parametrize("metadata", [None, {"note": "é"}])
def test_the_bytes_are_those_of_safetensors(metadata, tmp_path):
    write_tensors(tmp_path / "ours", TENSORS, metadata)
    save_file(TENSORS, tmp_path / "theirs", metadata)
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()
    found = load_file(tmp_path / "ours")
    assert found.keys() == TENSORS.keys()
    assert all(torch.equal(found[name], value) for name, value in TENSORS.items())


def test_the_umask_decides_who_reads_a_file_of_tensors(umask, tmp_path):
    write_tensors(tmp_path / "tensors", TENSORS)
    exchanged.write(tmp_path / "ticket.safetensors", TENSORS, {})
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == dict.fromkeys(("tensors", "ticket.safetensors"), 0o666 & ~umask)
