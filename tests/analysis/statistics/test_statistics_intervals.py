"""Intervals, corrections, contrasts and proportions against scipy, statsmodels and known cases."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.statistics.bootstrap import FEWEST, bca_interval, studentised_interval
from analysis.statistics.contrasts import contrast, interaction
from analysis.statistics.intervals import mean_interval, t_test
from analysis.statistics.proportions import proportion_interval
from analysis.statistics.ratios import agreement, ratio_interval, zone
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


def skewed(n, seed=0):
    return np.random.default_rng(seed).lognormal(0, 1, n)


def test_bca_interval_is_that_of_scipy():
    x = skewed(40)
    estimate = bca_interval(
        x, lambda s: float(s.mean()), rng=np.random.default_rng(1), draws=20_000
    )
    oracle = stats.bootstrap(
        (x,), np.mean, n_resamples=20_000, method="BCa", rng=np.random.default_rng(2)
    ).confidence_interval
    assert (estimate.low, estimate.high) == pytest.approx(tuple(oracle), abs=0.02)
    plain = stats.bootstrap(
        (x,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval
    # The plain percentile interval is told apart from it.
    assert abs(plain[1] - estimate.high) > 0.04


def test_bootstrap_draws_whole_trajectories():
    # Twenty levels of a trajectory that are all the same say no more than one of them.
    levels = np.repeat(np.random.default_rng(3).normal(size=(30, 1)), 20, axis=1)
    once = bca_interval(levels[:, :1], lambda s: float(s.mean()), rng=np.random.default_rng(4))
    many = bca_interval(levels, lambda s: float(s.mean()), rng=np.random.default_rng(4))
    assert (once.low, once.high) == pytest.approx((many.low, many.high), rel=1e-9)
    assert many.n == 30


@pytest.mark.slow
def test_bootstrap_intervals_cover_at_30():
    rng = np.random.default_rng(5)
    hits = np.zeros(2)
    for _ in range(400):
        x = rng.normal(size=30)
        ends = [
            bca_interval(x, lambda s: float(s.mean()), rng=rng, draws=800),
            studentised_interval(x, rng=rng, draws=800),
        ]
        hits += [end.low <= 0 <= end.high for end in ends]
    bca, studentised = hits / 400
    assert 0.905 <= bca <= 0.975  # BCa falls short by a little: .935.
    assert 0.925 <= studentised <= 0.975


def test_studentised_interval_leans_to_the_long_tail():
    estimate = studentised_interval(skewed(40), rng=np.random.default_rng(6))
    assert estimate.high - estimate.mean > 1.3 * (estimate.mean - estimate.low)


def test_bootstrap_refuses_few_trajectories():
    few = np.arange(FEWEST - 1.0)
    with pytest.raises(ValueError, match="at least 21 trajectories, got 20"):
        bca_interval(few, lambda s: float(s.mean()), rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="got 20"):
        studentised_interval([*few, math.nan], rng=np.random.default_rng(0))


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


def test_interaction_is_the_difference_of_paired_differences():
    rng = np.random.default_rng(1)
    luck = pd.Series(rng.normal(0, 10, 6))
    cells = {
        name: luck + effect + rng.normal(0, 0.01, 6)
        for name, effect in [("a", 5.0), ("b", 3.0), ("c", 1.0), ("d", 0.5)]
    }
    found = interaction(
        cells["a"], cells["b"], cells["c"].sample(frac=1, random_state=0), cells["d"]
    )
    assert found.mean() == pytest.approx(1.5, abs=0.05)
    # Luck of 10 cancels within the replicate, in whatever order the rows come.
    assert found.std() < 0.1


def test_contrast_leaves_incomplete_replicates_out():
    cells = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [0.5, math.nan, 1.0], "c": [0.0, 0.0, 0.0]})
    assert contrast(cells, {"a": 1, "b": -1}).to_dict() == {0: 0.5, 2: 2.0}
    # A cell that is not in the contrast may lack what it likes.
    assert len(contrast(cells.assign(c=math.nan), {"a": 2, "b": -2})) == 2
    with pytest.raises(ValueError, match="sum to 0"):
        contrast(cells, {"a": 1, "b": 1})


@pytest.mark.parametrize(("count", "n"), [(0, 10), (3, 10), (10, 10), (64, 128)])
def test_proportion_is_that_of_statsmodels(count, n):
    proportion = pytest.importorskip("statsmodels.stats.proportion")
    low, high = proportion.proportion_confint(count, n, method="wilson")
    found = proportion_interval(count, n)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-12)
    assert 0 <= found.low <= found.mean <= found.high <= 1


def test_proportion_refuses_what_cannot_be():
    assert math.isnan(proportion_interval(0, 0).low)
    with pytest.raises(ValueError, match=r"in \[0, 3\], got 4"):
        proportion_interval(4, 3)


def test_a_ratio_and_its_inverse_are_the_same_finding():
    logs = np.log([1.1, 1.3, 1.25, 0.98, 1.2])
    up, down = ratio_interval(logs), ratio_interval(-logs)
    assert (up.mean, up.low, up.high) == pytest.approx((1 / down.mean, 1 / down.high, 1 / down.low))


@pytest.mark.parametrize(
    ("low", "high", "number", "expected"),
    [
        (7, 9, 8, "inside"),
        (7, 11, 8, "overlapping"),
        (11, 12, 8, "outside"),
        (-9, -7, -8, "inside"),
        (math.nan, 9, 8, "unknown"),
    ],
)
def test_a_stated_number_agrees_within_a_quarter(low, high, number, expected):
    estimate = mean_interval([1.0])._replace(low=low, high=high)
    assert agreement(estimate, number) == expected


def test_zero_has_no_zone():
    assert zone(-8) == (-10, -6)
    with pytest.raises(ValueError, match="other than 0"):
        zone(0)
