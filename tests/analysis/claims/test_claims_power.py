"""How many replicates decide a claim, by what a pilot says of their noise."""

import numpy as np
import pandas as pd
import pytest
from planted import LRS, claim, lr, question, records, registry, rising, trial
from scipy import stats

from analysis.claims import pilot_spreads, power_table, verdicts
from analysis.claims.power import ENOUGH

STEPS = question(name="as late", form="robust", measure="steps_ratio", densities=[0.8**7])


def test_a_pilots_deviation_is_that_of_its_paired_numbers():
    rows = trial(n=6, jitter=0.2)
    found = pilot_spreads(rows, registry(claim(STEPS)))
    steps = rows.pivot_table(index="replicate", columns="level", values="early_stop_step")
    own = np.log(steps[7] / steps[0]).std(ddof=1)
    assert found == {("X", "as late"): pytest.approx(own)}
    one = trial(n=1)
    assert pilot_spreads(one, registry(claim(STEPS))) == {}
    assert pilot_spreads(rows.iloc[:0], registry(claim(STEPS))) == {}


def test_columns_differ_as_much_as_the_pair_that_differs_most():
    cells = [lr(v) for v in LRS[:3]]
    asked = question(name="alike", form="robust", compare="columns", cells=cells)
    rows = records(
        *(
            trial(i, at={"train.lr": v}, own=o)
            for i, (v, o) in enumerate(zip(LRS[:3], (1e-4, 1e-4, 3e-3), strict=True))
        )
    )
    alone = records(*(trial(i, at={"train.lr": v}, own=1e-4) for i, v in enumerate(LRS[:3])))
    wide, narrow = (pilot_spreads(r, registry(claim(asked)))["X", "alike"] for r in (rows, alone))
    assert wide > 5 * narrow


def test_needs_are_the_least_replicates_of_enough_power():
    """Two one-sided tests of a ratio of steps: by hand, and by simulation."""
    claims = registry(claim(STEPS, n=10))
    table = power_table(claims, sd=0.002, pilot={("X", "as late"): 0.4}).iloc[0]
    assert (table["spread"], table["n"]) == ("pilot", 10)
    assert table["power"] < 0.3
    n = int(table["needs"])
    more, less = (
        power_table(claims, sd=0.002, pilot={("X", "as late"): 0.4}, n=k).iloc[0]["power_holm"]
        for k in (n, n - 1)
    )
    assert less < ENOUGH <= more
    margin = np.log(claims.claims[0].questions[0].margin)
    draws = np.random.default_rng(0).normal(0, 0.4, (4000, n))
    half = stats.t.isf(0.05, n - 1) * draws.std(axis=1, ddof=1) / np.sqrt(n)
    assert np.mean(np.abs(draws.mean(axis=1)) + half < margin) == pytest.approx(more, abs=0.03)
    # A margin that no number of replicates below the bound resolves.
    none = power_table(claims, sd=0.002, pilot={("X", "as late"): 50.0}).iloc[0]
    assert pd.isna(none["needs"])


def test_a_claim_with_as_many_replicates_as_it_needs_is_decided():
    pilot = trial(n=6, accuracy=rising(0.005), own=0.002)
    asked = claim(question(), n=5)
    spreads = pilot_spreads(pilot, registry(asked))
    needs = int(power_table(registry(asked), sd=1, pilot=spreads).iloc[0]["needs"])
    whole = trial(n=needs, first=100, accuracy=rising(0.005), own=0.002)
    assert verdicts(whole, registry(claim(question(), n=needs))).iloc[0]["verdict"] == "supported"
