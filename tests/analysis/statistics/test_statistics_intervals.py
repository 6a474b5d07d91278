"""Intervals, ratios and corrections against scipy, statsmodels and known cases."""

import math

import numpy as np
import pytest
from scipy import stats

from analysis.statistics.intervals import mean_interval, t_test
from analysis.statistics.ratios import ratio_interval, zone
from analysis.statistics.verdicts.multiplicity import benjamini_hochberg, holm


@pytest.mark.parametrize("side", ["two", "greater", "less"])
@pytest.mark.parametrize("n", [2, 5, 20])
def test_t_test_is_that_of_scipy(side, n):
    x = np.random.default_rng(n).normal(0.3, 1, n)
    oracle = stats.ttest_1samp(x, 0.1, alternative="two-sided" if side == "two" else side).pvalue
    assert t_test([*x, math.nan], null=0.1, side=side) == pytest.approx(oracle, rel=1e-10)


@pytest.mark.parametrize("values", [[], [0.5], [0.1, 0.1, 0.1], [0.3, 0.1 + 0.2]])
def test_without_noise_there_is_no_p(values):
    assert math.isnan(t_test(values))


@pytest.mark.parametrize("n", [5, 10, 20])
def test_t_interval_covers_as_it_says(n):
    x = np.random.default_rng(n).normal(size=(4000, n))
    covered = np.mean([e.low <= 0 <= e.high for e in map(mean_interval, x)])
    assert 0.94 <= covered <= 0.96


@pytest.mark.parametrize(
    ("ours", "method"), [(holm, "holm"), (benjamini_hochberg, "fdr_bh")], ids=["holm", "bh"]
)
def test_corrections_are_those_of_statsmodels(ours, method):
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    p = np.random.default_rng(0).uniform(0, 0.2, 12)
    p[3] = p[7]
    oracle = multitest.multipletests(p, method=method)[1]
    np.testing.assert_allclose(ours(p), oracle, rtol=1e-12)
    gaps = np.insert(p, [2, 9], math.nan)
    np.testing.assert_allclose(ours(gaps)[~np.isnan(gaps)], oracle, rtol=1e-12)
    assert ours([]).size == 0


def test_a_ratio_and_its_inverse_are_the_same_finding():
    logs = np.log([1.1, 1.3, 1.25, 0.98, 1.2])
    up, down = ratio_interval(logs), ratio_interval(-logs)
    assert (up.mean, up.low, up.high) == pytest.approx((1 / down.mean, 1 / down.high, 1 / down.low))


def test_values_that_do_not_differ_have_no_interval():
    found = mean_interval([0.3, 0.1 + 0.2, 0.3])
    assert (found.mean, found.n) == (pytest.approx(0.3), 3)
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert found.alike
    assert found.most == found.mean
    assert not mean_interval([0.3]).alike
    assert not mean_interval([0.3, 0.4]).alike


def test_zero_has_no_zone():
    assert zone(-8) == (-10, -6)
    with pytest.raises(ValueError, match="other than 0"):
        zone(0)
