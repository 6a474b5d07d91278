"""What is trained next: of open claims alone, those that promise most for their cost."""

import numpy as np
import pytest
from planted import claim, question, registry

from analysis.claims.decide.choice import cost, next_piece, wall_s
from analysis.claims.decide.open import ClaimsStanding, OpenClaim
from analysis.claims.decide.points import PointName, Points
from analysis.claims.decide.prospects import FUTURES, RequiredEvidence, probabilities
from analysis.claims.networks.estimand import Piece

BASE, CHEAP, DEAR = PointName("anchor", ""), PointName("sweep", "a"), PointName("sweep", "b")
BAR = RequiredEvidence(p=0.05, p_against=0.05, by_e_value=False)


def chances(values, more=(1, 4, 16), bar=BAR):
    known = registry(claim(question(margin=0.002, sesoi=0.0001), id="A", n=60))
    one = known.claims[0]
    piece = Piece(label="", values=np.asarray(values), higher=False, lower=False)
    rng = np.random.default_rng(0)
    return probabilities(one, [(one.questions[0], [piece])], more, bar, rng)


def test_a_large_effect_is_decided_sooner_than_a_small_one():
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 0.001, 6)
    noise -= noise.mean()
    large, small = chances(0.0012 + noise), chances(0.0006 + noise)
    assert list(large.values()) == sorted(large.values())
    assert large[4] > small[4] + 0.2
    assert large[16] > 0.8


def test_a_harder_bar_makes_a_decision_less_likely():
    noise = np.random.default_rng(1).normal(0, 0.001, 6)
    values = 0.001 + noise - noise.mean()
    hard = RequiredEvidence(p=0.001, p_against=0.001, by_e_value=False)
    assert chances(values, bar=hard)[4] < chances(values)[4]
    assert chances(values, bar=RequiredEvidence(p=-1.0, p_against=-1.0, by_e_value=False))[16] == 0


def test_of_one_replicate_nothing_is_foreseen():
    assert chances([0.001], more=(1, 3, 4)) == {1: 0.0, 3: 0.0, 4: 0.5}


def test_draws_are_as_far_apart_as_the_replicates():
    """The share of futures decided is of a mean that is itself uncertain: not all or none."""
    noise = np.random.default_rng(3).normal(0, 0.001, 8)
    found = chances(0.0007 + noise - noise.mean(), more=(8,))[8]
    assert 1 / FUTURES < found < 1 - 1 / FUTURES


def standing(*claims, counts=None):
    counts = counts or {BASE: 6, CHEAP: 6, DEAR: 6}
    points = Points(counts=counts, seconds={BASE: 50.0, CHEAP: 100.0, DEAR: 800.0}, of_trials={})
    return ClaimsStanding(points=points, decided={}, open=list(claims), closed={})


def still_open(name, *points, chance=0.5, more=4, n=6):
    return OpenClaim(
        id=name, scale="s", n=n, most=30, points=frozenset(points), prospects={more: chance}
    )


def test_the_cheaper_of_two_likely_decisions_comes_first():
    found = standing(still_open("A", BASE, DEAR), still_open("B", BASE, CHEAP))
    piece = next_piece(found, cores=2)
    assert piece is not None
    assert set(piece.added) == {BASE, CHEAP}
    assert piece.aim == {BASE: 10, CHEAP: 10}
    assert piece.aim_seconds == 4 * 150


def test_claims_of_the_same_networks_count_together():
    dear = [still_open(f"A{i}", DEAR) for i in range(12)]
    piece = next_piece(standing(still_open("B", CHEAP), *dear), cores=2)
    assert piece is not None
    assert set(piece.added) == {DEAR}
    assert piece.decisions == pytest.approx(6)


def test_a_piece_is_short_and_reaches_the_first_look():
    found = standing(still_open("A", DEAR, more=8))
    piece = next_piece(found, cores=1)
    assert piece is not None
    assert (piece.added, wall_s(found, piece, 1)) == ({DEAR: 1}, 800)
    early = standing(still_open("A", DEAR, more=8, n=2), counts={DEAR: 2})
    piece = next_piece(early, cores=1)
    assert piece is not None
    assert piece.added == {DEAR: 3}


def test_nothing_is_trained_that_does_not_fit_or_promises_nothing():
    assert next_piece(standing(still_open("A", DEAR)), cores=2, left_s=500) is None
    assert next_piece(standing(still_open("A", CHEAP, chance=0.0)), cores=2) is None
    there = standing(still_open("A", CHEAP, more=2), counts={CHEAP: 9})
    assert next_piece(there, cores=2) is None
    assert cost(there, {CHEAP: 8}) == 0
