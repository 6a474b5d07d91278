"""Rules for one number a replicate on planted truths: what is false is rarely said."""

import numpy as np
import pytest
from simulated import STUDIES, at_most, differences, shares

from analysis.statistics.verdicts.pair_rules import (
    influential,
    matters_more,
    no_worse,
    numeric,
    superiority,
)


@pytest.mark.parametrize("n", [5, 10])
@pytest.mark.parametrize(
    ("rule", "options", "false", "true"),
    [
        # A claim, a mean at which it just is false, and one at which it just is true.
        (superiority, {"smallest": 0.1}, 0.0, 0.1),
        (superiority, {}, 0.0, 0.001),
        (no_worse, {"margin": 0.2}, -0.2, -0.2),
        (numeric, {"number": 0.4}, 0.5, 0.5),
        (numeric, {"number": 0.4}, 0.3, 0.3),
    ],
)
def test_a_paired_rule_is_wrong_in_5_percent_at_most(rule, options, false, true, n):
    wrong = shares(rule, differences(false, n), **options)
    assert at_most(wrong["supported"] + wrong["supported, smaller"], STUDIES)
    right = shares(rule, differences(true, n, seed=1), **options)
    assert at_most(right["contradicted"], STUDIES)


@pytest.mark.parametrize("mean", [0.1, 0.12, 0.15, 0.19])
def test_a_true_difference_is_not_called_none(mean):
    # Equivalence within a margin of .2 would contradict .12 in 23 % of all studies of 5.
    assert at_most(shares(superiority, differences(mean), smallest=0.1)["contradicted"], STUDIES)


def test_the_interval_and_the_word_agree():
    for values in differences(0.08, 6, studies=300):
        found = superiority(values)
        assert found.is_supported == (found.low > 0)
        assert (found.verdict == "contradicted") == (found.high < 0)
        found = no_worse(values - 0.2, margin=0.15)
        assert found.is_supported == (found.low > -0.15)
        assert found.level == pytest.approx(0.9)
        found = numeric(values, number=0.08, tolerance=0.9)
        inside = found.low > 0.008 and found.high < 0.152
        assert found.is_supported == inside


def test_a_flip_turns_the_verdict_round_and_units_leave_it():
    for values in differences(0.1, 6, studies=200):
        found, other = superiority(values, smallest=0.02), superiority(-values, smallest=0.02)
        if found.verdict == "supported":
            assert other.verdict == "contradicted"
        scaled = superiority(100 * values, smallest=2)
        assert (scaled.verdict, scaled.p) == (found.verdict, pytest.approx(found.p))
        assert superiority(values[::-1], smallest=0.02).verdict == found.verdict


def test_a_ratio_is_judged_on_the_log_scale():
    logs = np.log(8) + np.random.default_rng(4).normal(0, 0.05, 8)
    found = numeric(logs, number=8, log=True)
    assert found.verdict == "supported"
    assert found.low < 8.2 < found.high + 0.5
    assert numeric(logs, number=4, log=True).verdict == "contradicted"
    inverse = numeric(-logs, number=1 / 8, log=True, tolerance=0.2)
    assert inverse.verdict == "supported"
    with pytest.raises(ValueError, match="ratio must be > 0"):
        numeric(logs, number=-8, log=True)


def test_importances_are_compared_by_their_draws():
    draws = np.random.default_rng(6).normal(0.3, 0.1, 4000)
    found = matters_more(draws, n=64)
    assert (found.verdict, found.n) == ("supported", 64)
    assert found.low == pytest.approx(0.104, abs=0.02)
    assert matters_more(-draws, n=64).verdict == "contradicted"
    assert matters_more(draws - 0.25, n=64).verdict == "inconclusive"
    assert matters_more(draws[:30], n=64).verdict == "not tested"


@pytest.mark.parametrize(
    ("mean", "floor", "word"),
    [(0.4, 0.05, "supported"), (0.4, 0.39, "inconclusive"), (0.05, 0.0, "inconclusive")],
)
def test_an_index_must_exceed_the_share_and_the_floor(mean, floor, word):
    draws = np.random.default_rng(8).normal(mean, 0.05, 2000)
    found = influential(draws, floor=floor, n=128)
    assert found.verdict == word
    assert found.estimate == pytest.approx(mean, abs=0.01)
    assert found.low == pytest.approx(mean - 0.098, abs=0.01)
