"""Sobol' indices of known functions, their intervals, and when there are none."""

from __future__ import annotations

import numpy as np
import pytest
from surface import KNOWN, QUICK, curved, sample_of, totals, uniform_factors

from analysis.importance import estimate, importance
from analysis.importance.saltelli import sobol_indices
from lttune.config.design import INERT, Categorical, Factor


@pytest.mark.parametrize("name", ["linear", "interaction"])
def test_known_importances_are_found(name):
    known = KNOWN[name]
    result = importance(*sample_of(known.function, len(known.first), 64), **QUICK)
    assert result.status == "ok"
    np.testing.assert_allclose(result.table["first"], known.first, atol=0.01)
    np.testing.assert_allclose(result.table["total"], known.total, atol=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ishigami", "sobol_g"])
def test_known_importances_are_found_within_two_hundredths_at_256_points(name):
    known = KNOWN[name]
    result = importance(*sample_of(known.function, len(known.first), 256), permutations=4, draws=32)
    np.testing.assert_allclose(result.table["first"], known.first, atol=0.02)
    np.testing.assert_allclose(result.table["total"], known.total, atol=0.02)


@pytest.mark.slow
def test_intervals_hold_the_truth_of_a_weak_factor_in_noise():
    def response(u):
        return curved(u) + 0.35 * u[:, 2] + 0 * u[:, 3]

    truth = sobol_indices(lambda u: response(u)[:, None], 4).total[:, 0]
    assert 0.04 < truth[2] < 0.08
    covered = []
    for seed in range(6):
        table = importance(
            *sample_of(response, 4, 64, noise=0.6, seed=seed), draws=32, permutations=2, base=256
        ).table
        covered.append((table["total_low"] <= truth + 1e-3) & (truth <= table["total_high"]))
    assert np.mean(covered, axis=0)[2] >= 5 / 6
    assert np.mean(covered) >= 0.85


def test_an_interaction_is_what_two_factors_explain_together_and_not_alone():
    result = importance(*sample_of(KNOWN["interaction"].function, 3, 64), **QUICK)
    pairs = result.pairs.set_index(["a", "b"])
    np.testing.assert_allclose(pairs["closed"], [1.0, 0.3, 0.3], atol=0.01)
    np.testing.assert_allclose(pairs["interaction"], [0.4, 0.0, 0.0], atol=0.01)


def test_estimates_lie_inside_their_intervals_and_add_up():
    result = importance(*sample_of(curved, 3, 64, noise=0.3, inert=True), **QUICK)
    table = result.table
    for index in ("first", "total"):
        assert (table[f"{index}_low"] <= table[index]).all()
        assert (table[index] <= table[f"{index}_high"]).all()
    assert table["first"].sum() <= 1.02
    assert (table["total"] >= table["first"] - 0.02).all()


def test_noise_widens_the_intervals_and_is_no_interaction():
    quiet, noisy = (
        importance(*sample_of(curved, 2, 64, noise=noise), **{**QUICK, "draws": 24}).table
        for noise in (0.02, 0.5)
    )
    width = [(table["total_high"] - table["total_low"]).max() for table in (quiet, noisy)]
    assert width[1] > 5 * width[0]
    assert abs(noisy["total"].sum() - quiet["total"].sum()) < 0.15


def test_seed_variance_has_a_bar_of_its_own():
    points, responses, factors = sample_of(curved, 2, 64, noise=0.5, repeats=32)
    result = importance(points, responses, factors, **QUICK)
    signal = curved(points[["x0", "x1"]].to_numpy()).var()
    assert result.seed_freedom == 64
    assert result.seed_variance == pytest.approx(0.25 * signal, rel=0.3)
    assert result.signal_variance == pytest.approx(signal, rel=0.3)
    assert result.signal_low < result.signal_variance < result.signal_high
    once = responses[responses["replicate"] == 0]
    single = importance(points, once, factors, **QUICK)
    assert single.seed_freedom == 0
    assert single.seed_variance == pytest.approx(0.25 * signal, rel=0.6)


def test_a_factor_is_detected_above_what_chance_gives():
    result = importance(
        *sample_of(curved, 3, 64, noise=0.4, inert=True), **{**QUICK, "permutations": 40}
    )
    table = result.table.set_index("factor")
    assert table["detected"].to_dict() == {"x0": True, "x1": True, "x2": False, INERT: False}
    assert 1e-3 < table["floor"].iloc[0] < 0.1
    assert (table["floor"] == table["floor"].iloc[0]).all()


def test_a_factor_between_zero_and_the_floor_is_not_detected(monkeypatch):
    monkeypatch.setattr(estimate, "null_totals", lambda *_, **__: np.linspace(0.0, 0.2, 41))
    table = importance(*sample_of(KNOWN["linear"].function, 3, 64), **QUICK).table
    assert table["floor"].tolist() == pytest.approx([0.195] * 3)
    # Shares of 1/14, 4/14 and 9/14: the first is there, but chance gives as much.
    assert (table["total_low"] > 0.05).all()
    assert table["total_low"].iloc[0] < table["floor"].iloc[0]
    assert table["detected"].tolist() == [False, True, True]


def test_without_an_inert_factor_there_is_a_floor_all_the_same():
    result = importance(*sample_of(curved, 2, 64, noise=0.4), **{**QUICK, "permutations": 40})
    assert 1e-3 < result.table["floor"].iloc[0] < 0.1


def test_the_surrogate_of_pure_noise_is_too_poor():
    result = importance(*sample_of(lambda u: 0 * u[:, 0], 3, 64), **QUICK)
    assert result.status == "undefined"
    points, responses, factors = sample_of(curved, 3, 64)
    noise = np.random.default_rng(0).standard_normal(64)
    result = importance(points, responses.assign(value=noise), factors, **QUICK)
    assert result.status == "inconclusive"
    assert "Q2" in result.reason
    assert result.quality is not None
    assert result.quality.q2 < 0.5
    assert result.table.empty
    assert np.isnan(result.signal_variance)


def test_shares_of_a_constant_response_are_undefined():
    points, responses, factors = sample_of(curved, 2, 32)
    result = importance(points, responses.assign(value=0.9821), factors)
    assert (result.status, result.signal_variance) == ("undefined", 0.0)
    assert "constant" in result.reason
    assert result.table.empty


def test_a_categorical_factor_matters_by_its_groups():
    factors = [
        Factor(path="opt", distribution=Categorical(choices=("a", "b", "c"))),
        *uniform_factors(["x"]),
    ]
    points, responses, _ = sample_of(curved, 2, 64)
    opt = [factors[0].distribution.from_unit(u) for u in points["x0"]]
    points = points.rename(columns={"x1": "x"}).assign(opt=opt)
    # Variances: 2/9 of the groups (0, 1, 0), 1/12 of the line.
    value = (points["opt"] == "b") * 1.0 + points["x"]
    found = totals(importance(points, responses.assign(value=value), factors, **QUICK))
    np.testing.assert_allclose(found, [8 / 11, 3 / 11], atol=0.02)
