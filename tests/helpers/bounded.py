"""What may be done with a few bytes: in little memory, at once, in files of a size."""

from __future__ import annotations

import contextlib
import resource
import time
import tracemalloc
from collections.abc import Iterator

import pytest

from lttune.data import load
from lttune.errors import DataError, StorageError


@contextlib.contextmanager
def bounded(most: int = 20 << 20, seconds: float = 5.0) -> Iterator[None]:
    """Asserts that no more bytes are allocated inside at any time, and that it does not take long.

    NumPy's arrays and all of Python's objects are counted, and seconds of this process alone: a
    busy machine takes any time for them.
    """
    began = time.process_time()
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < most, f"{peak >> 20} MB"
    assert time.process_time() - began < seconds


@contextlib.contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Has files of this process end at so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def refusal(name: str) -> str:
    """Returns the line with which a dataset is refused, in bounded time and memory."""
    with bounded(), pytest.raises((DataError, StorageError)) as error:
        load(name)
    assert "\n" not in str(error.value)
    return str(error.value)
