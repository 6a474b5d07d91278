from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from SALib.analyze import sobol as oracle
from SALib.sample import sobol as oracle_sample
from scipy.stats import qmc
from sklearn.tree import DecisionTreeRegressor
from surface import KNOWN, uniform_factors

from analysis.importance import saltelli, shapley_effects
from analysis.importance.sample import sample
from analysis.importance.surrogates.forest import forest_importance, tree_shares


def column(function):
    return lambda u: function(u)[:, None]


@pytest.mark.parametrize("name", KNOWN)
def test_indices_of_known_functions(name):
    known = KNOWN[name]
    found = saltelli.sobol_indices(column(known.function), len(known.first), base=8192)
    np.testing.assert_allclose(found.first[:, 0], known.first, atol=0.005)
    np.testing.assert_allclose(found.total[:, 0], known.total, atol=0.005)


@pytest.mark.parametrize("name", ["ishigami", "sobol_g"])
def test_indices_are_those_of_salib(name):
    function, d = KNOWN[name].function, len(KNOWN[name].first)
    problem = {"num_vars": d, "names": [f"x{j}" for j in range(d)], "bounds": [[0.0, 1.0]] * d}
    u = oracle_sample.sample(problem, 4096, seed=1)
    expected = oracle.analyze(problem, function(u), num_resamples=2, seed=1)
    found = saltelli.sobol_indices(column(function), d, base=4096, seed=1)
    np.testing.assert_allclose(found.first[:, 0], expected["S1"], atol=0.01)
    np.testing.assert_allclose(found.total[:, 0], expected["ST"], atol=0.01)
    second = expected["S2"][np.triu_indices(d, 1)]
    left, right = np.triu_indices(d, 1)
    closed = second + expected["S1"][left] + expected["S1"][right]
    np.testing.assert_allclose(found.pairs[:, 0], closed, atol=0.015)


def test_several_functions_are_estimated_at_once():
    both = saltelli.sobol_indices(
        lambda u: np.column_stack([KNOWN["linear"].function(u), 7 + u[:, 3]]), 4, base=512
    )
    np.testing.assert_allclose(both.first[:, 0], KNOWN["linear"].first, atol=0.01)
    np.testing.assert_allclose(both.first[:, 1], [0, 0, 0, 1], atol=0.01)
    np.testing.assert_allclose(both.variance, [14 / 12, 1 / 12], rtol=0.02)


def test_a_large_mean_costs_no_digits_and_no_variance_is_no_share():
    function = KNOWN["ishigami"].function
    near = saltelli.sobol_indices(column(function), 3, base=512)
    far = saltelli.sobol_indices(column(lambda u: 1e5 + function(u)), 3, base=512)
    for index in ("first", "total", "pairs", "variance"):
        np.testing.assert_allclose(getattr(far, index), getattr(near, index), atol=1e-6)
    flat = saltelli.sobol_indices(column(lambda u: 0 * u[:, 0] + 3.0), 2, base=64)
    assert np.isnan(flat.first).all()
    assert np.isnan(flat.total).all()


def test_the_forest_agrees_with_known_main_effects():
    rng = np.random.default_rng(0)
    u = qmc.Sobol(4, rng=rng).random(512)
    table = {f"x{j}": u[:, j] for j in range(4)}
    points = pd.DataFrame(table).assign(trial=range(512))
    value = KNOWN["linear"].function(u)
    responses = pd.DataFrame({"trial": range(512), "replicate": 0, "value": value})
    found = forest_importance(sample(points, responses, uniform_factors(list(table))), trees=16)
    np.testing.assert_allclose(found.first, KNOWN["linear"].first, atol=0.06)
    assert found.r2 > 0.8


def test_the_shares_of_a_tree_are_those_of_its_boxes():
    rng = np.random.default_rng(0)
    u = rng.random((200, 3))
    model = DecisionTreeRegressor(max_leaf_nodes=12, random_state=0).fit(
        u, KNOWN["ishigami"].function(u)
    )
    expected = saltelli.sobol_indices(column(model.predict), 3, base=2**15)
    shares = tree_shares(model.tree_, 3)
    assert shares is not None
    np.testing.assert_allclose(shares, expected.first[:, 0], atol=0.01)


def test_a_tree_without_a_split_has_no_shares():
    model = DecisionTreeRegressor().fit(np.random.default_rng(0).random((9, 2)), np.ones(9))
    assert tree_shares(model.tree_, 2) is None


def test_shapley_effects_share_an_interaction_out_evenly():
    known = KNOWN["interaction"]
    found = shapley_effects(column(known.function), 3, base=4096)[:, 0]
    np.testing.assert_allclose(found, [0.5, 0.5, 0.0], atol=0.025)
    found = shapley_effects(column(KNOWN["ishigami"].function), 3, base=4096)[:, 0]
    np.testing.assert_allclose(found, [0.4357, 0.4424, 0.1218], atol=0.025)
    assert found.sum() == pytest.approx(1)


def test_shapley_effects_inside_a_region_that_is_no_box():
    # On the triangle u0 + u1 < 1 the two are negatively correlated. For y = u0: the effect of u0 is
    # (Var + E[Var(y | u1)]) / 2 with Var = 1/18 and E[Var(u0 | u1)] = E[(1 - u1)^2] / 12 = 1/24.
    found = shapley_effects(column(lambda u: u[:, 0]), 2, inside=lambda u: u.sum(1) < 1, base=8192)[
        :, 0
    ]
    np.testing.assert_allclose(found, [7 / 8, 1 / 8], atol=0.03)


def test_shapley_effects_refuse_what_they_cannot_do():
    with pytest.raises(ValueError, match="1 to 10"):
        shapley_effects(column(lambda u: u[:, 0]), 11)
    with pytest.raises(ValueError, match="of the cube"):
        shapley_effects(column(lambda u: u[:, 0]), 2, inside=lambda u: u[:, 0] < 1e-4)
