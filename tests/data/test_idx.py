import math
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lttune.data.files import idx
from lttune.errors import DataError


def encode(array: np.ndarray) -> bytes:
    return struct.pack(f">{1 + array.ndim}I", 0x800 + array.ndim, *array.shape) + array.tobytes()


SHAPES = st.integers(1, 4).flatmap(
    lambda n: arrays.array_shapes(min_dims=n, max_dims=n, min_side=1, max_side=5)
)


@given(arrays.arrays(np.uint8, SHAPES))
def test_what_was_encoded_is_returned(array):
    parsed = idx.parse(encode(array), "x", array.ndim)
    assert parsed.dtype == np.uint8
    assert parsed.flags.writeable
    np.testing.assert_array_equal(parsed, array)


HEADERS = st.lists(st.sampled_from([0, 1, 2, 28, 0x801, 0x803, 2**31, 2**32 - 1]), max_size=5).map(
    lambda numbers: struct.pack(f">{len(numbers)}I", *numbers)
)


@given(HEADERS | st.binary(max_size=20), st.binary(max_size=60), st.sampled_from([1, 3]))
def test_any_bytes_give_an_array_of_them_or_a_data_error(header, rest, dimensions):
    data = header + rest
    try:
        array = idx.parse(data, "x", dimensions)
    except DataError:
        return
    assert array.tobytes() == data[4 * (1 + dimensions) :]
    assert array.ndim == dimensions


@given(st.integers(0, 200), st.sampled_from([1, 3]))
def test_a_file_that_ends_early_or_late_is_refused(cut, dimensions):
    data = encode(np.zeros((4,) * dimensions, np.uint8))
    for wrong in (data[: cut % len(data)], data + b"\0" * (cut + 1)):
        with pytest.raises(DataError):
            idx.parse(wrong, "x", dimensions)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\0\0\x08", "expected an IDX header of 16 bytes, found 3"),
        (
            struct.pack(">4I", 0x801, 1, 1, 1) + b"a",
            "expected IDX magic 0x00000803, found 0x00000801",
        ),
        (
            struct.pack(">4I", 0x803, 2, 1, 1) + b"a",
            "expected 18 bytes for 2 x 1 x 1 examples, found 17",
        ),
        (
            struct.pack(">4I", 0x803, 0, 2**32 - 1, 2**32 - 1),
            "expected dimensions of at least 1, found 0 x 4294967295 x 4294967295",
        ),
    ],
)
def test_a_refusal_names_the_file_the_expected_and_the_found(data, message):
    with pytest.raises(DataError, match=f"^train-images: {message}$"):
        idx.parse(data, "train-images", 3)


@pytest.mark.parametrize("shape", [(2**31, 28, 28), (2**32 - 1,) * 3])
def test_a_header_that_lies_allocates_nothing(shape):
    data = struct.pack(">4I", 0x803, *shape) + bytes(1000)
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=str(16 + math.prod(shape))):
            idx.parse(data, "x", 3)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()
