"""The decision rules on planted truths: what is false is rarely said, what is unclear never."""

import math
from dataclasses import replace

import numpy as np
import pytest

from analysis.statistics.intervals import Estimate
from analysis.statistics.verdicts.multiplicity import benjamini_hochberg, holm
from analysis.statistics.verdicts.rules import (
    RULES,
    adjusted,
    best_value,
    existence,
    influential,
    interaction,
    matters_more,
    no_worse,
    not_tested,
    numeric,
    robust,
    sensitive,
    superiority,
    trend,
)
from analysis.statistics.verdicts.verdict import STILL, decided

SD = 0.1
"""Spread of a paired difference between replicates, in percentage points of accuracy."""

STUDIES = 1000


def differences(mean, n=5, studies=STUDIES, seed=0):
    return np.random.default_rng(seed).normal(mean, SD, (studies, n))


def sweeps(means, n=8, studies=300, seed=0, sd=SD):
    """Sweeps whose replicates differ far more than the values within a replicate do."""
    rng = np.random.default_rng(seed)
    luck = rng.normal(0, 5, (studies, n, 1))
    return luck + np.asarray(means, float) + rng.normal(0, sd, (studies, n, len(means)))


def shares(rule, data, **options):
    """Returns how often each word is said."""
    words = [rule(one, **options).verdict for one in data]
    names = ["supported", "supported, smaller", "contradicted", "inconclusive", "not tested"]
    return {name: words.count(name) / len(words) for name in names}


def at_most(share, studies):
    """5 % with three standard errors of the simulation."""
    return share <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / studies)


@pytest.mark.parametrize("n", [5, 10])
@pytest.mark.parametrize(
    ("rule", "options", "false", "true"),
    [
        # A claim, a mean at which it just is false, and one at which it just is true.
        (superiority, {"smallest": 0.1}, 0.0, 0.1),
        (superiority, {}, 0.0, 0.001),
        (interaction, {"smallest": 0.1}, 0.0, 0.1),
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


@pytest.mark.parametrize(
    ("rule", "data", "options", "word"),
    [
        (superiority, differences(0.5, 10), {"smallest": 0.1}, "supported"),
        (superiority, differences(-0.5, 10), {"smallest": 0.1}, "contradicted"),
        (superiority, differences(0.0, 40), {"smallest": 0.1}, "contradicted"),
        (superiority, differences(0.05, 100), {"smallest": 0.1}, "supported, smaller"),
        (no_worse, differences(0.0, 10), {"margin": 0.2}, "supported"),
        (no_worse, differences(-0.5, 10), {"margin": 0.2}, "contradicted"),
        (numeric, differences(1.0, 10), {"number": 1.05}, "supported"),
        (numeric, differences(1.0, 10), {"number": 2}, "contradicted"),
        (robust, sweeps([0, 0.02, 0]), {"margin": 0.3}, "supported"),
        (robust, sweeps([0, 0.02, 1]), {"margin": 0.3}, "contradicted"),
        (robust, sweeps([0, 0.02, 1]), {"margin": 0.3, "reference": 0}, "contradicted"),
        (sensitive, sweeps([0, 0.02, 1]), {"margin": 0.3}, "supported"),
        (sensitive, sweeps([0, 0.02, 0]), {"margin": 0.3}, "contradicted"),
        (best_value, sweeps([0, 1, 0.5]), {"value": 1}, "supported"),
        (best_value, sweeps([0, 1, 0.5]), {"value": 1, "rivals": [2]}, "supported"),
        (best_value, sweeps([0, 1, 0.5]), {"value": 2}, "contradicted"),
        (trend, sweeps([0, 0.2, 0.4, 0.6]), {}, "supported"),
        (trend, sweeps([0.6, 0.4, 0.2, 0]), {}, "contradicted"),
        (trend, sweeps([0, 0, 0, 0]), {"margin": 0.4}, "contradicted"),
    ],
)
def test_a_clear_truth_is_found(rule, data, options, word):
    assert shares(rule, data[:100], **options)[word] >= 0.8


def gains(means, n=8, studies=300, seed=0):
    """Gains against the replicate's own dense network: luck has cancelled."""
    rng = np.random.default_rng(seed)
    return np.asarray(means, float) + rng.normal(0, SD, (studies, n, len(means)))


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
        (robust, {"margin": 0.2, "reference": 0}, [0, 0.2, 0], [0, 0.2, 0.1, -0.2]),
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


@pytest.mark.parametrize("name", sorted(RULES))
def test_noise_is_inconclusive(name):
    rng = np.random.default_rng(3)
    options = {
        "no_worse": {"margin": 0.2},
        "numeric": {"number": 0.5},
        "robust": {"margin": 0.2},
        "sensitive": {"margin": 0.2},
        "best_value": {"value": 0},
        "existence": {"margin": 0.2},
        "superiority": {"smallest": 0.1},
        "interaction": {"smallest": 0.1},
        "trend": {"margin": 0.2},
        "matters_more": {"n": 8},
    }
    several = name in ("robust", "sensitive", "best_value", "existence", "trend")
    if name == "matters_more":
        found = matters_more(rng.normal(0, 1, 1000), n=8)
    elif several:
        noise = rng.normal(0, 20, (8, 4))
        found = RULES[name](noise - noise.mean(axis=0), **options[name])
    else:
        noise = rng.normal(0, 20, 8)
        found = RULES[name](noise - noise.mean(), **options[name])
    assert found.verdict == "inconclusive"
    assert found.form == name
    assert min(found.p, found.p_against) > 0.05
    assert found.low < found.high


@pytest.mark.parametrize(
    ("rule", "options"),
    [
        (superiority, {}),
        (no_worse, {"margin": 0.2}),
        (numeric, {"number": 1}),
        (robust, {"margin": 0.2}),
        (sensitive, {"margin": 0.2}),
        (best_value, {"value": 0}),
        (existence, {"margin": 0.2}),
        (trend, {}),
    ],
)
def test_one_replicate_is_no_test_and_no_noise_is_no_evidence(rule, options):
    several = rule in (robust, sensitive, best_value, existence, trend)
    one = np.array([[1.0, 2.0, 3.0]]) if several else np.array([1.0, math.nan])
    found = rule(one, **options)
    assert found.verdict == "not tested"
    assert found.n == 1
    assert math.isnan(found.p)
    if rule is trend:
        return  # Ranks need no noise.
    still = np.repeat([[1.0, 2.0, 3.0]], 5, axis=0) if several else np.ones(5)
    found = rule(still, **options)
    assert (found.verdict, found.reason) == ("inconclusive", STILL)


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


def test_a_flip_turns_the_verdict_round_and_units_leave_it():
    for values in differences(0.1, 6, studies=200):
        found, other = superiority(values, smallest=0.02), superiority(-values, smallest=0.02)
        if found.verdict == "supported":
            assert other.verdict == "contradicted"
        scaled = superiority(100 * values, smallest=2)
        assert (scaled.verdict, scaled.p) == (found.verdict, pytest.approx(found.p))
        assert superiority(values[::-1], smallest=0.02).verdict == found.verdict


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
    assert (found.verdict, found.form) == (word, "sensitive")
    assert found.estimate == pytest.approx(mean, abs=0.01)
    assert found.low == pytest.approx(mean - 0.098, abs=0.01)


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


@pytest.fixture
def family():
    def one(p, against=1.0):
        return decided("superiority", Estimate(1, 0, 2, 5), 0.95, p, against, 0.05, {})

    return [one(0.001), one(0.03), one(0.6, 0.04), one(0.2), not_tested("trend", "No data.")]


def test_a_family_is_corrected_by_holm(family):
    found = adjusted(family)
    words = [one.verdict for one in found]
    assert words == ["supported", "inconclusive", "inconclusive", "inconclusive", "not tested"]
    p = holm([one.p for one in family])
    np.testing.assert_allclose([one.p_adjusted for one in found], p)
    assert "Alone it would be supported" in found[1].reason
    assert "4 claims" in found[1].reason
    assert "Alone it would be contradicted" in found[2].reason
    assert [one.p for one in found[:4]] == [one.p for one in family[:4]]
    assert found[4].reason == "No data."
    assert adjusted([]) == []


def test_a_correction_strengthens_nothing_and_knows_no_order(family):
    again = adjusted(adjusted(family))
    assert [one.verdict for one in again] == [one.verdict for one in adjusted(family)]
    turned = adjusted(family[::-1])[::-1]
    assert [one.verdict for one in turned] == [one.verdict for one in adjusted(family)]
    alone = adjusted([family[1]])[0]
    assert alone.verdict == "supported"
    weak = replace(family[3], p=0.0001)  # Its rule wanted more than p.
    assert adjusted([weak])[0].verdict == "inconclusive"
    kind = adjusted(family, benjamini_hochberg)
    assert kind[0].verdict == "supported"


@pytest.mark.slow
def test_a_family_of_false_claims_has_a_supported_one_in_5_percent_at_most():
    data = np.random.default_rng(7).normal(0, SD, (1000, 10, 6))
    uncorrected, corrected = 0, 0
    for claims in data:
        # One-sided rules: false support is 5 % each, 40 % over the ten.
        words = [no_worse(one - 0.2, margin=0.2) for one in claims]
        uncorrected += any(one.is_supported for one in words)
        corrected += any(one.is_supported for one in adjusted(words))
    assert uncorrected / 1000 > 0.3
    assert at_most(corrected / 1000, 1000)
