"""Rules for a row of numbers a replicate on planted truths: what is false is rarely said."""

import math

import numpy as np
import pytest
from simulated import at_most, gains, shares, sweeps

from analysis.statistics.verdicts.sweep_rules import best_value, existence, robust, sensitive, trend


def test_tickets_exist_or_not():
    found = {"margin": 0.2}
    assert shares(existence, gains([-1, 0.0, -1]), **found)["supported"] >= 0.9
    assert shares(existence, gains([-1, -0.5, -1]), **found)["contradicted"] >= 0.9
    assert at_most(shares(existence, gains([-0.2] * 6), **found)["supported"], 300)
    assert at_most(shares(existence, gains([-0.2, -1, -1]), **found)["contradicted"], 300)


@pytest.mark.slow
@pytest.mark.parametrize("n", [5, 8])
@pytest.mark.parametrize(
    ("rule", "options", "false", "true"),
    [
        (robust, {"margin": 0.2}, [0, 0.2, 0.1], [0, 0.2, 0.1]),
        (sensitive, {"margin": 0.2}, [0, 0.2, 0.1, 0.2], [0, 0.2, 0.1]),
        (best_value, {"value": 0}, [0, 0, -1, -1], [0, 0, 0, 0]),
        (best_value, {"value": 0, "rivals": [1]}, [0, 0.01, -1, 0.3], [0, 0, 0, 0]),
        (trend, {"margin": 0.2}, [0, 0, 0, 0], [0, 0.07, 0.14, 0.2]),
    ],
)
def test_a_rule_for_sweeps_is_wrong_in_5_percent_at_most(rule, options, false, true, n):
    studies = 600
    wrong = shares(rule, sweeps(false, n, studies), **options)
    assert at_most(wrong["supported"] + wrong["supported, smaller"], studies)
    right = shares(rule, sweeps(true, n, studies, seed=1), **options)
    assert at_most(right["contradicted"], studies)


def test_the_span_and_the_word_agree():
    spans = np.random.default_rng(9).uniform(0, 0.6, 150)
    for values, wide in zip(sweeps([0, 0, 0], studies=150), spans, strict=True):
        values = values + np.array([0, wide, 0])
        found = sensitive(values, margin=0.2)
        assert found.is_supported == (found.low > 0.2)
        assert (found.verdict == "contradicted") == (found.high < 0.2)
        other = robust(values, margin=0.2)
        assert other.is_supported == (found.verdict == "contradicted")
        assert (other.verdict == "contradicted") == found.is_supported


def test_replicates_that_lack_a_value_are_left_out_and_said():
    x = sweeps([0, 0.02, 0], n=9)[0]
    x[4, 1] = math.nan
    found = robust(x, margin=0.3)
    assert found.n == 8
    assert found.reason.endswith("1 incomplete replicate is left out.")
    x[2, 0] = math.nan
    assert "2 incomplete replicates are" in best_value(x, value=0).reason


def test_a_fifth_missing_at_random_makes_no_false_verdict():
    data = gains([-0.2] * 5, studies=300)
    data[np.random.default_rng(5).random(data.shape) < 0.2] = math.nan
    found = shares(existence, data, margin=0.2)
    assert at_most(found["supported"], 300)


def test_the_robust_rule_without_pairs_would_see_nothing():
    # The luck of a replicate is fifty times the spread within it.
    assert shares(robust, sweeps([0, 0, 0])[:50], margin=0.3)["supported"] > 0.95


def test_a_value_that_diverges_everywhere_is_named():
    x = sweeps([0, 0, 0])[0]
    x[:, 2] = math.nan
    assert (
        robust(x, margin=0.3).reason == "1 of the 3 values lack a sound network in every replicate."
    )


def test_best_value_names_its_set_and_needs_a_rival():
    found = best_value(sweeps([0, 1, 1])[0], value=1)
    assert found.verdict == "inconclusive"
    assert "(1, 2)" in found.reason
    with pytest.raises(ValueError, match="rivals must be values other than 1"):
        best_value(sweeps([0, 1, 1])[0], value=1, rivals=[1])
