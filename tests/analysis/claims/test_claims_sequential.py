"""A claim that was locked sequentially is judged after each replicate, and by that rule alone."""

import dataclasses
import math

import numpy as np
import pytest
from planted import claim, question, registry, rising, trial, words

from analysis.claims import lock as locks
from analysis.claims import verdicts
from analysis.claims.judge import all_of
from analysis.statistics.sequential.process import PROCESSES
from analysis.statistics.verdicts.sequential.pair_rules import sequential_superiority
from lttune.config.rules import CLAIMS_LOCK
from lttune.errors import ConfigError, StorageError

BEFORE = "2026-01-01T00:00:00+00:00"


def one_claim(**changes):
    return claim(question(), id="A", role="confirmatory", **changes)


def locked(known, n=30):
    return locks.lock(known, n, BEFORE, rule="sequential")


def judged(rows, known, n=30):
    return verdicts(rows, known, lock=locked(known, n))


def test_before_the_first_look_nothing_is_decided_and_after_it_each_replicate_may():
    known = registry(one_claim())
    found = {n: judged(trial(n=n, accuracy=rising(0.005)), known) for n in (4, 5, 9)}
    assert [words(one) for one in found.values()] == [["not tested"], ["supported"], ["supported"]]
    assert "4 of the 5 replicates of the first look have a value" in found[4]["reason"][0]
    assert found[9]["n"].tolist() == [9]
    # The rule of a fixed n waits for all that were planned.
    fixed = locks.lock(known, 9, BEFORE)
    assert words(verdicts(trial(n=8, accuracy=rising(0.005)), known, lock=fixed)) == ["not tested"]


def test_what_was_decided_stays_so_and_more_than_the_most_are_not_read():
    known = registry(one_claim())
    rows = trial(n=20, accuracy=rising(0.005))
    # From the eleventh replicate on all is turned round.
    late = rows["replicate"] >= 10
    rows.loc[late & (rows["density"] < 1), "test_accuracy"] -= 0.02
    assert words(judged(rows[rows["replicate"] < 10], known)) == ["supported"]
    # In direction: that the size matters is said of the mean of all.
    assert words(judged(rows, known)) == ["supported, smaller"]
    found = [judged(rows[rows["replicate"] < n], known, 10) for n in (10, 20)]
    assert found[0].equals(found[1])
    assert found[1]["n"].tolist() == [10]


def test_an_open_claim_says_how_many_replicates_may_follow():
    known = registry(one_claim())
    rows = trial(n=12, own=0.004, accuracy=rising(0.0))
    assert "open after 12 of at most 30 replicates" in judged(rows, known)["reason"][0]
    assert "open at the 12 replicates" in judged(rows, known, 12)["reason"][0]


def test_a_claim_that_has_too_few_replicates_yet_counts_in_its_family():
    at = {"train.lr": 2e-3}
    other = claim(question(cells=[{"name": "c", "at": at}]), id="B", role="confirmatory")
    known = registry(one_claim(), other)
    rows = [trial(0, n=8, accuracy=rising(0.005)), trial(1, n=3, at=at)]
    found = judged(rows, known)
    assert words(found) == ["supported", "not tested"]
    assert found["p_adjusted"][0] == pytest.approx(2 * found["p"][0])
    assert np.isnan(found["p"][1])


def test_explorations_are_corrected_by_their_evidence_at_the_last_replicate():
    known = registry(claim(question(), id="A"))
    rows = trial(n=20, accuracy=rising(0.002))
    rows.loc[(rows["replicate"] >= 10) & (rows["density"] < 1), "test_accuracy"] -= 0.02
    assert words(judged(rows[rows["replicate"] < 10], known)) == ["supported"]
    found = judged(rows, known)
    assert words(found) == ["inconclusive"]
    assert found["p"][0] > 0.1


def test_ratios_are_judged_by_signs():
    """One network that stops very late moves the mean of logarithms, and no sign."""
    asked = question(measure="steps_ratio", direction="down", densities=[0.211])
    known = registry(claim(asked, id="A", role="confirmatory"))
    rows = trial(n=20, steps=lambda density: 5_000.0 if density == 1 else 3_000.0)
    plain = judged(rows, known)
    odd = (rows["replicate"] == 3) & (rows["density"] < 1)
    rows.loc[odd, "early_stop_step"] = 40_000
    found = judged(rows, known)
    assert (words(plain), words(found)) == (["supported"], ["supported"])
    assert found["estimate"][0] == pytest.approx(plain["estimate"][0], rel=0.05)


def test_the_most_is_what_gives_no_less_power(tmp_path):
    known = registry(one_claim(n=10))
    assert locks.lock(known, date=BEFORE, rule="sequential").n == {"A": 18}
    needs = {"A": 30}
    assert locks.lock(known, date=BEFORE, needs=needs, rule="sequential").n == {"A": 54}
    assert locks.lock(known, 7, BEFORE, rule="sequential").n == {"A": 7}
    with pytest.raises(ConfigError, match="n must be a whole number >= 5, got 4"):
        locks.lock(known, 4, rule="sequential")
    path = tmp_path / CLAIMS_LOCK
    locks.write_lock(path, locked(known))
    assert locks.read_lock(path) == locked(known)


def test_a_lock_of_an_unknown_rule_is_none(tmp_path):
    known = registry(one_claim())
    path = tmp_path / CLAIMS_LOCK
    locks.write_lock(path, dataclasses.replace(locked(known), rule="peeking"))
    with pytest.raises(StorageError, match="rule must be fixed or sequential, got 'peeking'"):
        locks.read_lock(path)


@pytest.mark.parametrize("order", [1, -1])
def test_a_part_without_evidence_of_its_own_counts_the_same_in_any_order(order):
    one = sequential_superiority(np.arange(1.0, 9.0), process=PROCESSES["t"])
    other = dataclasses.replace(one, e=math.nan, e_against=math.nan)
    _, found = all_of([("a", one), ("b", other)][::order], 0.05)
    assert (found.is_sequential, found.e, found.e_against) == (True, 0, 0)
