"""Any bytes where a picture should be: a dataset, or one line in bounded time and memory."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
from bounded import bounded
from changed_bytes import changed, changes
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lttune.data import Dataset, load
from lttune.errors import DataError, StorageError

PIXELS = np.random.default_rng(0).integers(0, 256, (10, 8, 8, 3)).astype(np.uint8)


def encoded(form: str) -> bytes:
    text = io.BytesIO()
    Image.fromarray(PIXELS[0]).save(text, form)
    return text.getvalue()


WHOLE = [encoded(form) for form in ("PNG", "JPEG", "BMP", "GIF", "PPM", "TIFF", "WEBP")]
CHANGES = changes(">", fewest=0, most=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for name in ("ape", "bee"):
        (folder / name).mkdir()
        for number in range(5):
            Image.fromarray(PIXELS[number]).save(folder / name / f"{number}.png")
    return folder


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(WHOLE), CHANGES, st.floats(0.1, 1), st.sampled_from(["ape/0", "bee/4"]))
def test_a_changed_or_cut_picture(folder, whole, places, share, place):
    file = folder / f"{place}.png"
    before = file.read_bytes()
    file.write_bytes(changed(whole, places, share))
    try:
        with bounded(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert isinstance(load(str(folder)), Dataset)
    except (DataError, StorageError) as error:
        text = str(error)
        assert text.startswith(str(folder))
        assert "\n" not in text
    finally:
        file.write_bytes(before)
