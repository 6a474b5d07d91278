"""Ranks and differences of importances, for claims, and the draws that they rest on."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from surface import KNOWN, QUICK, curved, sample_of

from analysis.importance import difference, importance, rank_stability, sample
from analysis.importance.estimate import centred, resampled


def test_what_matters_more_is_a_difference_draw_by_draw():
    points, responses, factors = sample_of(KNOWN["linear"].function, 4, 64, noise=0.2)
    result = importance(points, responses, factors, **QUICK)
    more = difference(result, "x2", "x1")
    # On a straight line the shares are those of least squares.
    columns = np.column_stack([np.ones(64), points[[f"x{j}" for j in range(4)]]])
    slopes = np.linalg.lstsq(columns, responses["value"], rcond=None)[0][1:]
    shares = slopes**2 / (slopes**2).sum()
    assert more.low <= more.estimate <= more.high
    assert more.estimate == pytest.approx(shares[2] - shares[1], abs=0.04)
    assert more.low > 0
    other = difference(result, "x1", "x2")
    np.testing.assert_allclose(other.draws, -more.draws)
    with pytest.raises(ValueError, match="no such factor"):
        difference(result, "x2", "x9")


def test_the_middle_of_an_interval_is_the_whole_sample_and_its_spread_the_resamples():
    full = np.array([[1.0, 2.0, 3.0]])
    resamples = np.array([[10.0, 14.0, 12.0]])
    np.testing.assert_allclose(centred(np.hstack([full, resamples]), 3), [[0.0, 4.0, 2.0]])


def test_trajectories_are_resampled_by_their_weight():
    points, responses, factors = sample_of(curved, 2, 16)
    data = sample(points, responses, factors, weights=pd.Series([1.0] * 4 + [0.0] * 12))
    assert {int(i) for picked in resampled(data, 20, 0) for i in picked} == {0, 1, 2, 3}
    even = sample(points, responses, factors)
    assert len({int(i) for picked in resampled(even, 20, 0) for i in picked}) == 16


def test_ranks_are_stable_where_effects_differ():
    clear = importance(*sample_of(KNOWN["linear"].function, 3, 64, inert=True), **QUICK)
    assert rank_stability(clear) == (1.0, 1.0)
    even = importance(*sample_of(lambda u: u.sum(1), 4, 32, noise=0.3), **{**QUICK, "draws": 32})
    mean, low = rank_stability(even)
    assert low < mean < 0.9


def test_no_difference_is_told_without_numbers():
    points, responses, factors = sample_of(curved, 2, 32)
    nothing = importance(points, responses.assign(value=1.0), factors)
    with pytest.raises(ValueError, match="constant"):
        difference(nothing, "x0", "x1")
    assert np.isnan(rank_stability(nothing)[0])
