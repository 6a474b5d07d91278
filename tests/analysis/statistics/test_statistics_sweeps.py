"""Trends, best values and best of k: against scipy, enumeration and planted truths."""

import itertools
import math

import numpy as np
import pytest
from scipy import optimize, stats

from analysis.statistics.best import best_set
from analysis.statistics.best_of_k import best_of_k, expected_best
from analysis.statistics.trend import page_trend


def paired(rng, means, n=8, sd=0.1, luck=2.0):
    """Replicates differ far more than values within one do."""
    return rng.normal(0, luck, (n, 1)) + np.asarray(means) + rng.normal(0, sd, (n, len(means)))


@pytest.mark.parametrize(("n", "k"), [(3, 4), (5, 5), (10, 6)])
def test_page_is_that_of_scipy(n, k):
    x = paired(np.random.default_rng(n), np.arange(k) * 0.04, n)
    oracle = stats.page_trend_test(x, method="exact")
    found = page_trend(x)
    assert found.statistic == oracle.statistic
    assert found.p == pytest.approx(oracle.pvalue, abs=1e-10)
    assert found.exact
    assert found.p_falling == pytest.approx(page_trend(-x).p)


def test_page_with_ties_is_that_of_enumeration():
    x = np.array([[1, 2, 2, 3], [1, 1, 2, 2], [2, 1, 3, 3]], float)
    ranks = stats.rankdata(x, axis=1)
    place = np.arange(1, 5)
    orders = [[np.dot(p, place) for p in itertools.permutations(row)] for row in ranks]
    sums = np.array([sum(one) for one in itertools.product(*orders)])
    assert page_trend(x).p == pytest.approx(np.mean(sums >= (ranks @ place).sum() - 1e-9))


def test_page_beyond_seven_values_draws_orders():
    x = paired(np.random.default_rng(0), np.arange(9) * 0.03, 5)
    oracle = stats.page_trend_test(x, method="exact").pvalue
    found = page_trend(x, rng=np.random.default_rng(1), draws=20_000)
    assert found.p == pytest.approx(oracle, abs=4 * math.sqrt(oracle / 20_000) + 1e-4)
    with pytest.raises(ValueError, match="generator"):
        page_trend(x)
    with pytest.raises(ValueError, match="three values"):
        page_trend(x[:, :2])


def test_a_trend_is_within_replicates():
    x = paired(np.random.default_rng(2), [0, 0.3, 0.6, 0.9], n=4, luck=50)
    found = page_trend(np.vstack([x, np.full(4, math.nan)]))
    assert found.p < 0.001
    assert found.n == 4
    assert found.correlation.mean > 0.8
    assert page_trend(x**3).p == found.p  # Ranks know no units.
    assert page_trend(np.ones((3, 4))).p == 1


def test_the_interval_of_a_trend_says_what_its_test_says():
    rng = np.random.default_rng(5)
    seen = set()
    for slope in np.linspace(-0.4, 0.4, 60):
        x = np.round(rng.normal(0, 0.5, (5, 4)) + slope * np.arange(4), 1)  # Some are equal.
        found = page_trend(x)
        low, high = found.correlation.low, found.correlation.high
        assert -1 <= low <= found.correlation.mean <= high <= 1
        assert (low > 0) == (found.p <= 0.05)
        assert (high < 0) == (found.p_falling <= 0.05)
        wide = page_trend(x, level=0.95).correlation
        assert (wide.low > 0) == (found.p <= 0.025)
        seen.add((low > 0, high < 0))
    assert len(seen) == 3


def test_the_trend_is_the_mean_rank_correlation():
    x = paired(np.random.default_rng(6), [0, 0.1, 0.1, 0.2], n=6, sd=0.2)
    each = [stats.spearmanr(row, range(4)).statistic for row in x]
    assert page_trend(x).correlation.mean == pytest.approx(np.mean(each))
    flat = page_trend(np.ones((3, 4))).correlation
    assert (flat.mean, flat.low, flat.high) == (0, -1, 1)
    rising = page_trend(np.tile(np.arange(4.0), (3, 1))).correlation
    assert (rising.mean, rising.high) == (1, 1)
    # (1/24)^3 is the p of three rising orders; at the lower end they have probability 0.05.
    assert 0 < rising.low < 1


def test_the_lower_end_is_that_of_an_enumerated_model():
    """One replicate of three values: all six orders, made likelier by exp(theta L)."""
    found = page_trend(np.array([[1.0, 2.0, 3.0]]), level=0.6).correlation
    orders = np.array(list(itertools.permutations([1, 2, 3])))
    sums = orders @ [1, 2, 3]

    def model(theta):
        weights = np.exp(theta * (sums - 14))
        return weights / weights.sum()

    theta = optimize.brentq(lambda t: model(t)[sums == 14].sum() - 0.2, -10, 10)
    assert found.low == pytest.approx((model(theta) @ sums - 12) / 2, abs=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("slope", [0.0, 0.3, 1.0])
def test_the_interval_of_a_trend_covers_its_expectation(slope):
    rng = np.random.default_rng(7)
    many = rng.normal(0, 1, (200_000, 4)) + slope * np.arange(4)
    truth = ((stats.rankdata(many, axis=1) @ np.arange(1, 5)).mean() - 25) / 5
    inside = []
    for _ in range(400):
        one = page_trend(rng.normal(0, 1, (6, 4)) + slope * np.arange(4)).correlation
        inside.append(one.low <= truth <= one.high)
    # Of level .9; ranks are discrete, so it may be more.
    assert np.mean(inside) >= 0.9 - 2.6 * math.sqrt(0.09 / 400)


def test_the_best_value_is_known_where_noise_is_small():
    found = best_set(paired(np.random.default_rng(3), [0, 1, 0.2, 0.999], sd=0.1))
    assert found.included.tolist() == [False, True, False, True]
    assert found.best in (1, 3)
    assert best_set(-paired(np.random.default_rng(3), [0, 1, 0.2, 0.999], sd=0.1)).best == 0


@pytest.mark.slow
@pytest.mark.parametrize("n", [5, 8])
@pytest.mark.parametrize("means", [[0, 0, 0, 0], [0, 0, -0.1, -5]])
def test_the_best_value_is_left_out_in_5_percent_at_most(n, means):
    rng = np.random.default_rng(n)
    left_out = np.mean([not best_set(paired(rng, means, n)).included[0] for _ in range(500)])
    assert left_out <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 500)


def test_with_few_or_incomplete_replicates_all_may_be_best():
    x = paired(np.random.default_rng(4), [0, 5], n=3)
    x[1:, 0] = math.nan
    found = best_set(x)
    assert found.included.all()
    assert (found.n, found.dropped) == (1, 2)


@pytest.mark.parametrize("k", [1, 2, 5, 7])
def test_best_of_k_is_that_of_enumeration(k):
    x = np.random.default_rng(5).normal(size=7)
    subsets = [max(one) for one in itertools.combinations(x, k)]
    assert expected_best(x, k) == pytest.approx(np.mean(subsets), rel=1e-12)


def test_best_of_k_is_unbiased():
    x = np.random.default_rng(6).normal(size=(4000, 16))
    truth = np.random.default_rng(7).normal(size=(40_000, 8)).max(axis=1).mean()
    unbiased = np.mean([expected_best(one, 8) for one in x])
    assert unbiased == pytest.approx(truth, abs=0.025)


def test_the_curve_of_best_of_k_ends_at_half():
    x = np.append(np.random.default_rng(8).normal(size=40), math.nan)
    curve = best_of_k(x, rng=np.random.default_rng(9), draws=500)
    assert curve.k.tolist() == list(range(1, 21))
    assert curve.n == 40
    assert (np.diff(curve.expected) > 0).all()
    assert (curve.low <= curve.expected).all()
    assert (curve.expected <= curve.high).all()
    with pytest.raises(ValueError, match=r"in \[1, 40\], got 41"):
        expected_best(x, 41)
