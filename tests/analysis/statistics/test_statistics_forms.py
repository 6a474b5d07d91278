"""Every form of claim: what is clear is found, what is unclear never said."""

import math

import numpy as np
import pytest
from simulated import differences, shares, sweeps

from analysis.statistics.verdicts.form import FORMS, Terms
from analysis.statistics.verdicts.pair_rules import no_worse, numeric, superiority
from analysis.statistics.verdicts.sweep_rules import best_value, robust, sensitive, trend
from analysis.statistics.verdicts.verdict import STILL


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


TERMS = Terms(margin=0.2, smallest=0.1, number=0.5)


@pytest.mark.parametrize("name", sorted(FORMS))
def test_noise_is_inconclusive(name):
    form, rng = FORMS[name], np.random.default_rng(3)
    if form.takes == "indices":
        found = form.rule(rng.normal(0, 1, 1000), **form.options(TERMS), n=8)
    else:
        noise = rng.normal(0, 20, 8 if form.takes == "number" else (8, 4))
        found = form.rule(noise - noise.mean(axis=0), **form.options(TERMS))
    assert found.verdict == "inconclusive"
    assert min(found.p, found.p_against) > 0.05
    assert found.low < found.high


@pytest.mark.parametrize("name", sorted(set(FORMS) - {"matters_more"}))
def test_one_replicate_is_no_test_and_no_noise_is_no_evidence(name):
    form = FORMS[name]
    options = form.options(TERMS)
    several = form.takes != "number"
    one = np.array([[1.0, 2.0, 3.0]]) if several else np.array([1.0, math.nan])
    found = form.rule(one, **options)
    assert found.verdict == "not tested"
    assert found.n == 1
    assert math.isnan(found.p)
    if form.shows == "rank correlation":
        return  # Ranks need no noise.
    still = np.repeat([[1.0, 2.0, 3.0]], 5, axis=0) if several else np.ones(5)
    found = form.rule(still, **options)
    assert (found.verdict, found.reason) == ("inconclusive", STILL)


@pytest.mark.parametrize("name", sorted(FORMS))
def test_power_grows_with_replicates_and_falls_with_noise(name):
    plans = [{"sd": 0.2, "n": 6}, {"sd": 0.2, "n": 24}, {"sd": 0.1, "n": 6}]
    power = [FORMS[name].power(TERMS, alpha=0.05, **plan) for plan in plans]
    if FORMS[name].takes == "indices":
        assert all(map(math.isnan, power))
    else:
        assert 0 <= power[0] < min(power[1:])
        assert max(power) < 1
