"""Families of claims: corrected together, never strengthened."""

from dataclasses import replace

import numpy as np
import pytest
from simulated import SD, at_most

from analysis.statistics.intervals import Estimate
from analysis.statistics.verdicts.multiplicity import benjamini_hochberg, holm
from analysis.statistics.verdicts.pair_rules import no_worse
from analysis.statistics.verdicts.verdict import adjusted, decided, not_tested


@pytest.fixture
def family():
    def one(p, against=1.0):
        return decided(Estimate(1, 0, 2, 5), 0.95, p, against, 0.05, {})

    return [one(0.001), one(0.03), one(0.6, 0.04), one(0.2), not_tested("No data.")]


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
