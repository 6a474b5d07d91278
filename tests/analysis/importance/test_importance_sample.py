from __future__ import annotations

import numpy as np
import optuna
import pandas as pd
import pytest
from surface import sample_of, uniform_factors

from analysis.importance import importance, sample
from analysis.importance.sample import effective_size
from lttune.config.design import Categorical, Factor, Integer, LogUniform, space_filling

optuna.logging.set_verbosity(optuna.logging.WARNING)
QUICK = {"draws": 8, "permutations": 8, "base": 256}


def accuracy(u):
    return 0.97 - 0.1 * (u[:, 0] - 0.6) ** 2 + 0.01 * u[:, 1]


def searched(n: int) -> tuple[pd.DataFrame, pd.DataFrame, list[Factor]]:
    """Returns the trials of a real TPE search for the best accuracy."""
    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.TPESampler(seed=0, n_startup_trials=8)
    )

    def objective(trial: optuna.Trial) -> float:
        u = np.array([[trial.suggest_float("x0", 0, 1), trial.suggest_float("x1", 0, 1)]])
        return float(accuracy(u)[0])

    study.optimize(objective, n_trials=n)
    points = pd.DataFrame([{"trial": t.number, **t.params} for t in study.trials])
    responses = pd.DataFrame(
        [{"trial": t.number, "replicate": 0, "value": t.value} for t in study.trials]
    )
    return points, responses, uniform_factors(["x0", "x1"])


def test_the_trials_of_a_search_are_refused_with_the_reason():
    result = importance(*searched(64))
    assert result.status == "refused"
    assert "search" in result.reason
    assert result.table.empty
    assert np.isnan(result.signal_variance)


@pytest.mark.parametrize("seed", range(5))
def test_a_design_of_every_kind_of_factor_is_not_refused(seed):
    factors = [
        Factor(path="lr", distribution=LogUniform(low=1e-5, high=1e-1)),
        Factor(path="opt", distribution=Categorical(choices=("a", "b"))),
        Factor(path="batch", distribution=Integer(low=1, high=3)),
        Factor(path="width", distribution=Integer(low=16, high=256, log=True)),
    ]
    design = space_filling(factors, points=128, seed=seed)
    points = pd.DataFrame([{"trial": i, **p.coordinates} for i, p in enumerate(design)])
    responses = pd.DataFrame({"trial": range(128), "replicate": 0, "value": np.arange(128.0)})
    assert sample(points, responses, factors).refusal == ""


def test_a_learning_rate_drawn_on_the_linear_scale_is_no_draw_of_the_log_scale():
    factor = Factor(path="lr", distribution=LogUniform(low=1e-5, high=1e-1))
    lr = np.random.default_rng(0).uniform(1e-5, 1e-1, 64)
    points = pd.DataFrame({"trial": range(64), "lr": lr})
    responses = pd.DataFrame({"trial": range(64), "replicate": 0, "value": lr})
    assert "lr" in sample(points, responses, [factor]).refusal


def test_a_weighted_search_is_used_if_it_is_worth_thirty_points():
    rng = np.random.default_rng(0)
    # A proposal of density 2 u in the first factor, with the weights that undo it.
    u = np.column_stack([np.sqrt(rng.random(128)), rng.random(128)])
    points = pd.DataFrame({"trial": range(128), "x0": u[:, 0], "x1": u[:, 1]})
    responses = pd.DataFrame({"trial": range(128), "replicate": 0, "value": accuracy(u)})
    factors = uniform_factors(["x0", "x1"])
    assert importance(points, responses, factors).status == "refused"
    weights = pd.Series(1 / (2 * u[:, 0]), index=range(128))
    result = importance(points, responses, factors, weights=weights, **QUICK)
    design = importance(*sample_of(accuracy, 2, 64), **QUICK)
    assert result.status == "ok"
    np.testing.assert_allclose(result.table["total"], design.table["total"], atol=0.02)
    few = importance(points, responses, factors, weights=weights.where(weights.index < 25, 0.0))
    assert few.status == "refused"
    assert "independent points" in few.reason


def test_effective_size_counts_equal_weights_and_no_others():
    assert effective_size(np.ones(40)) == pytest.approx(40)
    assert effective_size(np.array([1.0, 0, 0, 0])) == pytest.approx(1)


def test_the_papers_point_is_no_draw_of_the_design():
    points, responses, factors = sample_of(accuracy, 2, 32)
    points["role"] = ["paper"] + ["design"] * 29 + ["repeat", "sweep"]
    data = sample(points, responses, factors)
    assert data.trials == tuple(range(1, 31))
    assert len(data.y) == 30


def test_a_missing_response_leaves_its_trajectory_out():
    points, responses, factors = sample_of(accuracy, 2, 32, repeats=4)
    responses.loc[[0, 30], "value"] = np.nan
    data = sample(points, responses, factors)
    assert len(data.y) == len(responses) - 2
    assert data.seed_variance[1] == 7
    np.testing.assert_array_equal(data.y, responses["value"].dropna())


@pytest.mark.parametrize(
    ("spoil", "match"),
    [
        (lambda p, r: (p.drop(columns="x1"), r), "lack the factors"),
        (lambda p, r: (pd.concat([p, p[:1]]), r), "a trial twice"),
        (lambda p, r: (p, pd.concat([r, r[:1]])), "trajectory twice"),
        (lambda p, r: (p[1:], r), "without a point"),
        (lambda p, r: (p.assign(x0=2.0), r), "outside"),
        (lambda p, r: (p, r.assign(value=np.nan)), "no response"),
    ],
)
def test_tables_that_do_not_fit_together_are_refused(spoil, match):
    points, responses, factors = sample_of(accuracy, 2, 16)
    with pytest.raises(ValueError, match=match):
        sample(*spoil(points, responses), factors)
