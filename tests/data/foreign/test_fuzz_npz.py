"""Any bytes where a file of arrays should be: a dataset, or one line in bounded time and memory."""

from __future__ import annotations

import io

import numpy as np
import pytest
from bounded import bounded
from changed_bytes import changed, changes
from hypothesis import given, settings
from hypothesis import strategies as st

from lttune.data import Dataset, load
from lttune.errors import DataError, StorageError

RNG = np.random.default_rng(0)


def packed(save) -> bytes:
    text = io.BytesIO()
    save(text, x=RNG.integers(0, 256, (12, 4, 6)).astype(np.uint8), y=np.arange(12) % 3)
    return text.getvalue()


WHOLE = [packed(np.savez), packed(np.savez_compressed)]
CHANGES = changes("<")


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("npz") / "x.npz"


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(WHOLE), CHANGES, st.floats(0.2, 1))
def test_a_changed_or_cut_file(path, whole, places, share):
    path.write_bytes(changed(whole, places, share))
    loaded_or_refused(path)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300), st.sampled_from([b"", b"PK\x03\x04", b"PK\x05\x06", b"\x93NUMPY"]))
def test_any_bytes(path, data, start):
    path.write_bytes(start + data)
    loaded_or_refused(path)


def loaded_or_refused(path) -> None:
    with bounded():
        try:
            assert isinstance(load(str(path)), Dataset)
        except (DataError, StorageError) as error:
            text = str(error)
            assert text.startswith(str(path))
            assert "\n" not in text
