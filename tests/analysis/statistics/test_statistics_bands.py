"""Simultaneous bands: against enumeration of signs by hand, and by simulation."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from analysis.statistics.bands import EXACT, sign_patterns, simultaneous_band


def autoregressive(rng, studies, n, levels=20, rho=0.6):
    x = rng.normal(size=(studies, n, levels))
    for level in range(1, levels):
        x[..., level] = rho * x[..., level - 1] + math.sqrt(1 - rho**2) * x[..., level]
    return x * np.linspace(0.1, 3, levels)  # Unequal spread over levels.


def by_hand(x, side):
    """Flips signs about the means with loops and scipy's t."""

    def t(sample):
        values = stats.ttest_1samp(sample, 0).statistic
        return {"two": np.abs(values), "greater": values, "less": -values}[side]

    seen, counts, total = t(x), np.zeros(x.shape[1]), 0
    centred = x - x.mean(axis=0)
    for signs in itertools.product([1, -1], repeat=len(x)):
        counts += t(np.array(signs)[:, None] * centred).max() >= seen * (1 - 1e-9)
        total += 1
    alone = stats.ttest_1samp(x, 0, alternative="two-sided" if side == "two" else side).pvalue
    return np.maximum(counts / total, alone)


@pytest.mark.parametrize("side", ["two", "greater", "less"])
def test_p_is_that_enumerated_by_hand(side):
    x = autoregressive(np.random.default_rng(0), 1, 7, levels=4)[0] + [0.1, 0.5, 0.3, -0.5]
    found = simultaneous_band(x, side=side).p
    np.testing.assert_allclose(found, by_hand(x, side), atol=1e-12)
    assert len(set(found)) == 4


def test_random_signs_agree_with_enumeration(monkeypatch):
    x = autoregressive(np.random.default_rng(2), 1, 10, levels=6)[0] + 0.1
    exact = simultaneous_band(x).p
    monkeypatch.setattr("analysis.statistics.bands.EXACT", 5)
    drawn = simultaneous_band(x, rng=np.random.default_rng(3), flips=20_000).p
    np.testing.assert_allclose(drawn, exact, atol=0.015)
    assert drawn.min() > 0


def test_signs_are_drawn_only_beyond_twelve_and_with_a_generator():
    signs, drawn = sign_patterns(EXACT, None)
    assert (len(signs), drawn) == (2**EXACT, False)
    assert len(np.unique(signs, axis=0)) == 2**EXACT
    with pytest.raises(ValueError, match="generator"):
        sign_patterns(EXACT + 1, None)
    with pytest.raises(ValueError, match="generator"):
        simultaneous_band(np.random.default_rng(0).normal(size=(13, 2)))


@pytest.mark.slow
@pytest.mark.parametrize("n", [6, 8])
def test_a_family_of_nulls_is_rejected_at_most_in_5_percent(n):
    x = autoregressive(np.random.default_rng(n), 2000, n)
    banded = np.mean([simultaneous_band(study).p.min() <= 0.05 for study in x])
    alone = np.mean(stats.ttest_1samp(x, 0, axis=1).pvalue.min(axis=1) <= 0.05)
    assert banded <= 0.07  # About the means it is nearly, not wholly exact: .055.
    assert alone > 0.4  # What no correction does.


@pytest.mark.slow
@pytest.mark.parametrize(("n", "shift"), [(5, 0), (5, 20), (6, 20), (10, 0), (10, 20)])
def test_a_band_holds_the_whole_curve(n, shift):
    # The shift is what signs about zero would break: they give a band that covers 72 % at n = 6.
    x = shift + autoregressive(np.random.default_rng(n), 800, n)
    held = 0
    for study in x:
        band = simultaneous_band(study)
        held += bool(((band.low <= shift) & (shift <= band.high)).all())
    assert 0.925 <= held / 800 <= 0.985


@pytest.mark.slow
def test_a_family_with_gaps_and_divergence_keeps_its_level():
    rng = np.random.default_rng(9)
    x = autoregressive(rng, 700, 9)
    # A tenth of the trajectories end at a random level.
    ends = np.where(rng.random((700, 9)) < 0.1, rng.integers(3, 20, (700, 9)), 20)
    x[np.arange(20) >= ends[..., None]] = math.nan
    assert np.mean([np.nanmin(simultaneous_band(study).p) <= 0.05 for study in x]) <= 0.075


@pytest.mark.parametrize("n", [4, 8, 14])
@pytest.mark.parametrize("side", ["two", "greater", "less"])
@pytest.mark.parametrize("null", [0.0, 0.4])
def test_p_and_band_say_the_same(n, side, null):
    rng = np.random.default_rng(n)
    for study in autoregressive(rng, 40, n, levels=5) + rng.normal(0, 1.5, (40, 1, 5)):
        for level in (0.9, 0.95):
            band = simultaneous_band(
                study, level=level, side=side, null=null, rng=np.random.default_rng(0), flips=499
            )
            left_out = (band.low > null) | (band.high < null)
            assert ((band.p <= round(1 - level, 9)) == left_out).all()


def test_a_band_is_wider_than_each_interval_alone_and_no_wider_than_bonferroni():
    x = autoregressive(np.random.default_rng(4), 1, 10, rho=0.9)[0]
    band = simultaneous_band(x)
    width = (band.high - band.mean) / (x.std(axis=0, ddof=1) / math.sqrt(10))
    assert np.ptp(width) < 1e-9
    assert stats.t.isf(0.025, 9) < width[0] < stats.t.isf(0.025 / 20, 9)
    assert band.method == "signs"
    few = simultaneous_band(x[:5])
    width = (few.high - few.mean) / (x[:5].std(axis=0, ddof=1) / math.sqrt(5))
    assert width[0] == pytest.approx(stats.t.isf(0.025 / 20, 4))
    assert few.method == "bonferroni"


def test_one_comparison_is_no_family():
    x = np.random.default_rng(5).normal(0.5, 1, (10, 1))
    band, alone = simultaneous_band(x), stats.ttest_1samp(x[:, 0], 0)
    assert band.p[0] >= alone.pvalue
    assert band.low[0] == pytest.approx(alone.confidence_interval().low, abs=0.15)


def test_replicates_and_levels_may_come_in_any_order():
    x = autoregressive(np.random.default_rng(6), 1, 8)[0] + 0.5
    band = simultaneous_band(x)
    rows, columns = np.random.default_rng(7).permutation(8), np.arange(20)[::-1]
    other = simultaneous_band(x[rows][:, columns])
    np.testing.assert_allclose(other.low[::-1], band.low, rtol=1e-9)
    np.testing.assert_allclose(other.p[::-1], band.p, rtol=1e-9)


def test_a_flip_and_other_units_change_nothing_else():
    x = autoregressive(np.random.default_rng(8), 1, 8)[0] + 0.5
    band, other = simultaneous_band(x), simultaneous_band(-100 * x)
    np.testing.assert_allclose(other.low, -100 * band.high, rtol=1e-9)
    np.testing.assert_allclose(other.p, band.p, rtol=1e-9)


def test_a_density_without_noise_is_no_comparison():
    # Gain at density 1 is 0 in every replicate.
    x = autoregressive(np.random.default_rng(10), 1, 7, levels=4)[0]
    still = np.column_stack([np.zeros(7), x])
    band, alone = simultaneous_band(still), simultaneous_band(x)
    assert (band.low[0], band.high[0]) == (0, 0)
    assert math.isnan(band.p[0])
    np.testing.assert_allclose(band.low[1:], alone.low)


def test_missing_values_are_counted_and_widen_the_band():
    x = autoregressive(np.random.default_rng(11), 1, 10, levels=5)[0]
    x[:3, 4] = math.nan
    x[1:, 3] = math.nan
    band = simultaneous_band(x)
    assert band.n.tolist() == [10, 10, 10, 1, 7]
    assert math.isnan(band.low[3])
    kept = [0, 4]
    error = np.nanstd(x[:, kept], axis=0, ddof=1) / np.sqrt([10, 7])
    width = ((band.high - band.mean)[kept]) / error
    assert width[1] > 1.1 * width[0]  # Fewer degrees of freedom, not only fewer replicates.
