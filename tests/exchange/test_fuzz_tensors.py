"""Any bytes where a file of tensors should be: its tensors, or one line."""

from __future__ import annotations

import pytest
import torch
from changed_bytes import changed, changes
from exchanged import NETWORK, ticket
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from lttune.errors import DataError
from lttune.exchange.tensors import Contents, compact, masks_in, read, write

CHANGES = changes("<")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The bytes of a mask in each form, and a path."""
    folder = tmp_path_factory.mktemp("tensors")
    weights, mask = ticket(NETWORK)
    tensors = {f"{name}_mask": keep.float() for name, keep in mask.items()}
    save_file(tensors, folder / "a")
    torch.save(tensors, folder / "b")
    torch.save(tensors, folder / "c", _use_new_zipfile_serialization=False)
    write(folder / "d", compact(weights, mask, NETWORK, 3), {})
    return [(folder / name).read_bytes() for name in "abcd"], folder / "x.pt"


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 3), CHANGES, st.sampled_from([0.5, 0.99, 1.0]), st.booleans())
def test_a_changed_or_cut_file(files, which, places, share, in_head):
    wholes, path = files
    # Most of a file is numbers; what they are counted by stands at its ends.
    path.write_bytes(changed(wholes[which], places, share, within=700 if in_head else None))
    try:
        found = read(path)
        assert isinstance(found, Contents)
        masks_in(found, "these").of(NETWORK)
    except DataError as error:
        text = str(error)
        assert "\n" not in text


def test_the_whole_files_are_read(files):
    wholes, path = files
    for whole in wholes:
        path.write_bytes(whole)
        assert list(masks_in(read(path)).of(NETWORK)) == NETWORK.prunable
