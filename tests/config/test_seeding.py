import numpy as np
import pytest

from lttune.config.seeding import integer, stream


def test_the_same_name_is_the_same_stream():
    assert np.array_equal(stream(3, 1, "order", 5).random(8), stream(3, 1, "order", 5).random(8))


@pytest.mark.parametrize(
    "other", [(4, 1, "order", 5), (3, 2, "order", 5), (3, 1, "init", 5), (3, 1, "order", 6)]
)
def test_every_part_of_the_name_makes_another_stream(other):
    assert not np.array_equal(stream(3, 1, "order", 5).random(8), stream(*other).random(8))


def test_parts_do_not_run_into_each_other():
    # (1, 23) and (12, 3) would be one name without a separator.
    assert not np.array_equal(stream(1, 23, "a").random(4), stream(12, 3, "a").random(4))


def test_streams_are_pinned():
    # A change here changes every result ever stored: raise store.SCHEMA with it.
    assert stream(0, 0, "init").integers(0, 2**32, 3).tolist() == [
        2675126615,
        2633631595,
        2393690332,
    ]
    assert [integer(0, "search", i) for i in range(3)] == [59662884, 2054339743, 941835799]


def test_library_seeds_fit_31_bits_and_differ():
    seeds = [integer(0, "search", index) for index in range(1000)]
    assert len(set(seeds)) == 1000
    assert all(0 <= seed < 2**31 for seed in seeds)
