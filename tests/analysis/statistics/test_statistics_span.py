"""Spans and power: against statsmodels, closed forms and simulation."""

import math

import numpy as np
import pytest
from scipy import stats

from analysis.statistics.span import beyond_margin, span
from analysis.statistics.verdicts.pair_rules import no_worse
from analysis.statistics.verdicts.power import (
    equivalence_power,
    non_inferiority_power,
    superiority_power,
)


def sweep(rng, means, n=8, sd=0.05, luck=2.0):
    """Values of a sweep: replicates differ far more than values within one do."""
    return rng.normal(0, luck, (n, 1)) + np.asarray(means) + rng.normal(0, sd, (n, len(means)))


@pytest.mark.parametrize("n", [3, 10])
@pytest.mark.parametrize("mean", [0.0, 0.1, -0.3])
def test_a_span_of_two_values_is_the_tost_of_statsmodels(n, mean):
    weightstats = pytest.importorskip("statsmodels.stats.weightstats")
    rng = np.random.default_rng(n)
    a, b = rng.normal(mean, 0.1, n), rng.normal(0, 0.1, n)
    p, (_, above, _), _ = weightstats.ttost_paired(a, b, -0.2, 0.2)
    assert span(np.stack([a, b], axis=1), margin=0.2).p_within == pytest.approx(p, rel=1e-8)
    assert no_worse(a - b, margin=0.2).p == pytest.approx(above, rel=1e-8)


def test_no_difference_seen_is_no_equivalence():
    noisy = [0.5, -0.5, 0.4, -0.4]
    assert stats.ttest_1samp(noisy, 0).pvalue > 0.9
    both = np.stack([noisy, np.zeros(4)], axis=1)
    assert span(both, margin=0.2).p_within > 0.2
    with pytest.raises(ValueError, match="margin must be > 0"):
        span(both, margin=0)


def test_a_span_is_paired_by_replicate():
    found = span(sweep(np.random.default_rng(1), [0, 0.02, 0.05]), margin=0.3)
    assert found.p_within < 0.001
    assert found.low <= found.span <= found.high < 0.3
    assert found.pair == (2, 0)


def test_span_bounds_and_p_say_the_same():
    rng = np.random.default_rng(2)
    for _ in range(60):
        x = sweep(rng, rng.normal(0, 0.15, 4), n=7, sd=0.1)
        found = span(x, margin=0.2)
        assert (found.p_within <= 0.05) == (found.high < 0.2)
        assert (found.p_beyond <= 0.05) == (found.low > 0.2)


@pytest.mark.slow
def test_a_span_at_its_margin_is_rarely_called_within_or_beyond():
    rng = np.random.default_rng(3)
    found = [span(sweep(rng, [0, 0.1, 0.2, 0.1], n=7, sd=0.1), margin=0.2) for _ in range(600)]
    assert np.mean([one.p_within <= 0.05 for one in found]) <= 0.07
    assert np.mean([one.p_beyond <= 0.05 for one in found]) <= 0.07
    covered = np.mean([one.low <= 0.2 <= one.high for one in found])
    assert covered >= 0.9


def test_a_span_counts_what_it_leaves_out():
    x = sweep(np.random.default_rng(4), [0, 0.1, 0.2])
    x[2, 1] = math.nan
    found = span(x, margin=0.3)
    assert (found.n, found.dropped) == (7, 1)
    assert found.span == pytest.approx(span(np.delete(x, 2, axis=0), margin=0.3).span)
    assert span(np.full((3, 2), math.nan), margin=1).n == 0
    with pytest.raises(ValueError, match="two values"):
        span(x[:, :1], margin=0.3)


def test_beyond_needs_a_mean_beyond():
    gaps = np.random.default_rng(5).normal([0.0, 0.5, -0.5], 0.05, (8, 3))
    p = beyond_margin(gaps, margin=0.2)
    assert p[0] == 1
    assert (p[1:] < 0.05).all()


def test_superiority_power_is_that_of_statsmodels():
    power = pytest.importorskip("statsmodels.stats.power")
    for n, alternative, side in [(5, "two-sided", "two"), (10, "larger", "greater")]:
        oracle = power.TTestPower().power(0.7, n, 0.05, alternative=alternative)
        found = superiority_power(difference=0.14, sd=0.2, n=n, side=side)
        assert found == pytest.approx(oracle, abs=1e-8)
    assert superiority_power(difference=0, sd=1, n=6) == pytest.approx(0.05)
    oracle = power.TTestPower().power(1.5, 6, 0.05, alternative="larger")
    found = non_inferiority_power(margin=0.2, difference=0.1, sd=0.2, n=6)
    assert found == pytest.approx(oracle, abs=1e-8)


@pytest.mark.parametrize(
    ("sd", "margin", "n", "expected"),
    [(0.1, 0.2, 5, 0.95), (0.15, 0.2, 5, 0.6), (0.2, 0.2, 10, 0.79), (0.2, 0.3, 5, 0.73)],
)
def test_equivalence_power_is_that_of_simulation(sd, margin, n, expected):
    power = equivalence_power(margin=margin, sd=sd, n=n)
    assert power == pytest.approx(expected, abs=0.02)
    x = np.random.default_rng(6).normal(0, sd, (60_000, n))
    half = stats.t.isf(0.05, n - 1) * x.std(axis=1, ddof=1) / math.sqrt(n)
    passed = np.mean(np.abs(x.mean(axis=1)) + half < margin)
    assert power == pytest.approx(passed, abs=4 * math.sqrt(0.25 / 60_000))


def test_equivalence_power_is_alpha_at_the_margin():
    assert equivalence_power(margin=1, sd=0.1, n=20, difference=1) == pytest.approx(0.05, abs=1e-6)
    assert equivalence_power(margin=0.001, sd=0.1, n=5) < 0.01
