"""Order statistics against NumPy's sort and quantile."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lttune.pruning import ranks
from lttune.pruning.ranks import of_ranks, quantiles

SHARES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


def numbers(kind, count):
    rng = np.random.default_rng(count)
    values = rng.standard_normal(count).astype(np.float32)
    return {
        "any sign": values,
        "magnitudes": np.abs(values),
        "ties": np.round(values, 1),
        "equal": np.full(count, np.float32(-0.25)),
        "zeros of both signs": np.where(values > 0, values.round(), np.copysign(0, values)),
        "extremes": np.concatenate([values[3:], np.float32([np.inf, -np.inf, 1e-42])]),
    }[kind].astype(np.float32)


KINDS = ["any sign", "magnitudes", "ties", "equal", "zeros of both signs", "extremes"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [5, 8_000, 8_001, 20_000])
def test_ranks_are_those_of_a_sort(kind, count):
    values = numbers(kind, count)
    wanted = np.random.default_rng(0).integers(0, count, 12)
    wanted[:2] = 0, count - 1
    before = values.copy()
    assert np.array_equal(of_ranks(values, wanted), np.sort(values)[wanted])
    assert np.array_equal(values, before)


@settings(max_examples=200, deadline=None)
@given(
    values=st.lists(st.floats(allow_nan=False, width=32), min_size=1, max_size=40),
    rank=st.integers(0, 39),
)
def test_counting_is_right_for_all_numbers(values, rank):
    values = np.array(values, np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranks, "_FEW", 0)
        assert of_ranks(values, [rank % len(values)])[0] == np.sort(values)[rank % len(values)]


@pytest.mark.parametrize("kind", KINDS[:-1])
@pytest.mark.parametrize("count", [1, 2, 7, 8_001, 20_000])
def test_quantiles_are_numpys_bit_by_bit(kind, count):
    values = numbers(kind, count)
    assert quantiles(values, SHARES) == np.quantile(values, SHARES).tolist()
