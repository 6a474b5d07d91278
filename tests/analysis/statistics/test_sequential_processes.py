"""E-processes: against direct integration, as martingales where nothing is true, under stopping."""

import math

import numpy as np
import pytest
from scipy import integrate, stats

from analysis.statistics.sequential.looks import FIRST_LOOK, averaged, ever, latest
from analysis.statistics.sequential.mixture import PRIOR_VARIANCE, t_process
from analysis.statistics.sequential.process import PROCESSES

STUDIES, MOST = 4_000, 40


def paths(process, draws, **options):
    return np.stack([process.log_e(x, **options) for x in draws])


@pytest.mark.parametrize("mean", [-0.4, 0.0, 0.7, 2.5])
@pytest.mark.parametrize("side", ["greater", "less"])
def test_the_evidence_of_t_is_the_integral_of_densities_of_noncentral_t(mean, side):
    """Another route to the same factor: the density of t, averaged over d, over that of no d."""
    x = np.random.default_rng(3).normal(mean, 1, 12)
    found = t_process(x, side=side)
    sign = -1 if side == "less" else 1
    for n in (5, 8, 12):
        t = sign * stats.ttest_1samp(x[:n], 0).statistic
        root = math.sqrt(PRIOR_VARIANCE)

        def density(d, t=t, n=n, root=root):
            return stats.nct.pdf(t, n - 1, d * math.sqrt(n)) * 2 * stats.norm.pdf(d, scale=root)

        above, _ = integrate.quad(density, 0, 8 * root, limit=200)
        assert found[n - 1] == pytest.approx(math.log(above / stats.t.pdf(t, n - 1)), abs=1e-5)


@pytest.mark.parametrize(("wins", "losses"), [(5, 0), (4, 3), (1, 6), (12, 2)])
def test_the_evidence_of_signs_is_the_integral_over_bets(wins, losses):
    # What lies at the null itself is not on the side that is tested.
    values = np.array([1.0] * wins + [-1.0] * (losses - 1) + [0.0] * (losses > 0))
    whole, _ = integrate.quad(lambda w: (1 + w) ** wins * (1 - w) ** losses, 0, 1)
    assert latest(PROCESSES["sign"].log_e(values, side="greater")) == pytest.approx(whole)


@pytest.mark.parametrize("name", PROCESSES)
@pytest.mark.parametrize("mean", [0.0, -0.3])
def test_where_nothing_is_true_the_evidence_is_1_on_average_at_most(name, mean):
    rng = np.random.default_rng(7)
    found = np.exp(paths(PROCESSES[name], rng.normal(mean, 1, (STUDIES, 15)), side="greater"))
    for n in (5, 9, 15):
        e = found[:, n - 1]
        assert e.mean() < 1 + 3 * e.std() / math.sqrt(STUDIES)


@pytest.mark.parametrize("name", PROCESSES)
@pytest.mark.parametrize("side", ["greater", "less"])
def test_who_stops_when_it_suits_is_wrong_in_5_percent_at_most(name, side):
    """At each n: the share of studies that any look so far would have decided."""
    draws = np.random.default_rng(11).normal(0, 1, (STUDIES, MOST))
    crossed = np.maximum.accumulate(paths(PROCESSES[name], draws, side=side), axis=1)
    shares = (crossed >= math.log(20)).mean(axis=0)
    assert shares[: FIRST_LOOK - 1].max() == 0
    assert shares.max() <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / STUDIES)
    assert shares[-1] > 0.01  # A rule that never decides would pass.


def test_signs_are_right_of_medians_of_skewed_numbers_and_t_is_not():
    """Centred at its median, an exponential: t takes its long tail for a mean above."""
    draws = np.random.default_rng(2).exponential(size=(1_000, MOST)) - math.log(2)
    shares = {
        name: (paths(one, draws, side="greater").max(axis=1) >= math.log(20)).mean()
        for name, one in PROCESSES.items()
    }
    assert shares["sign"] <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 1_000) < shares["t"]


@pytest.mark.parametrize("name", PROCESSES)
def test_a_confidence_sequence_never_grows_and_holds_the_truth_at_all_times(name):
    process, rng = PROCESSES[name], np.random.default_rng(5)
    missed = 0
    for x in rng.normal(1, 2, (300, 30)):
        ends = [process.sequence(x[:n], 0.9) for n in range(FIRST_LOOK, 31)]
        known = [one for one in ends if not math.isnan(one.low)]
        low, high = [one.low for one in known], [one.high for one in known]
        assert low == sorted(low)
        assert high == sorted(high, reverse=True)
        missed += not (len(known) == len(ends) and low[-1] < 1 < high[-1])
    assert missed / 300 <= 0.1


@pytest.mark.parametrize("name", PROCESSES)
def test_the_sequence_excludes_what_the_evidence_rejects(name):
    process, rng = PROCESSES[name], np.random.default_rng(8)
    plain = rng.normal(0.5, 1, (50, 25))
    # Steps lie on a grid, so that their ratios have ties.
    for x in [*plain, *np.round(plain, 1)]:
        found = process.sequence(x, 0.9)
        for null in (-0.2, 0.0, 0.3, 0.9):
            rejected = ever(process.log_e(x, null=null, side="greater")) <= 0.05
            assert rejected == (null < found.low)
            rejected = ever(process.log_e(x, null=null, side="less")) <= 0.05
            assert rejected == (null > found.high)


@pytest.mark.parametrize("name", PROCESSES)
def test_a_missing_value_leaves_the_evidence_as_it_was(name):
    process, x = PROCESSES[name], np.random.default_rng(1).normal(1, 1, 12)
    holed = np.insert(x, [3, 7], np.nan)
    found, whole = process.log_e(holed, side="greater"), process.log_e(x, side="greater")
    assert found[~np.isnan(holed)] == pytest.approx(whole)
    assert (found[3], found[8]) == (found[2], found[7])
    assert process.sequence(holed, 0.95) == pytest.approx(process.sequence(x, 0.95))


def test_equal_values_are_no_evidence_until_they_differ():
    x = np.array([0.3] * 6 + [0.4])
    found = t_process(x, side="greater")
    assert np.isneginf(found[:6]).all()
    assert found[6] > 0


def test_a_mean_of_evidence_has_no_more_of_it_than_its_best_part():
    rng = np.random.default_rng(4)
    x = rng.normal(0, 1, (20, 3)) + np.array([0.0, 0.0, 1.5])
    parts = [t_process(column, side="greater") for column in x.T]
    mean = averaged(parts)
    assert latest(mean) == pytest.approx(np.mean([latest(one) for one in parts]))
    assert max(map(latest, parts)) / 3 <= latest(mean) <= max(map(latest, parts))
