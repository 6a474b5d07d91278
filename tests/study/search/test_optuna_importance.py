"""What goes wrong with the obvious tools: the measurements that analysis.importance rests on."""

from __future__ import annotations

import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from analysis.importance import importance
from lttune.config.design import (
    INERT,
    Categorical,
    Factor,
    Integer,
    LogUniform,
    Uniform,
    space_filling,
)
from lttune.study.search.optuna_importance import QUESTIONS, optuna_importances
from lttune.study.search.space import distribution_of

LR = Factor(path="lr", distribution=LogUniform(low=1e-5, high=1e-1))
MOMENTUM = Factor(path="momentum", distribution=Uniform(low=0.0, high=0.95))
SCALE = Factor(path="scale", distribution=LogUniform(low=0.1, high=10.0))
CONTROL = Factor(path=INERT, distribution=Uniform(low=0.0, high=1.0))
FACTORS = [LR, MOMENTUM, SCALE, CONTROL]


def accuracy(point, rng):
    """Returns an accuracy of which the learning rate explains nearly everything."""
    lr = np.log10(point["lr"])
    bad = 0.02 * (lr + 2.7) ** 2 + 0.01 * point["momentum"] * max(lr + 2.7, 0)
    return 0.97 - bad - 0.002 * np.log10(point["scale"]) + 0.001 * rng.standard_normal()


def designed(n=128, response=accuracy, factors=FACTORS):
    rng = np.random.default_rng(0)
    design = space_filling(factors[:-1], points=n, seed=0, repeats=0)
    points = pd.DataFrame([{"trial": i, **p.coordinates} for i, p in enumerate(design)])
    values = {i: response(p.coordinates, rng) for i, p in enumerate(design)}
    return points, values


def searched(n=96):
    rng = np.random.default_rng(0)
    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.TPESampler(seed=1, n_startup_trials=10)
    )

    def objective(trial):
        point = {
            "lr": trial.suggest_float("lr", 1e-5, 1e-1, log=True),
            "momentum": trial.suggest_float("momentum", 0.0, 0.95),
            "scale": trial.suggest_float("scale", 0.1, 10.0, log=True),
            INERT: trial.suggest_float(INERT, 0.0, 1.0),
        }
        return accuracy(point, rng)

    study.optimize(objective, n_trials=n)
    points = pd.DataFrame([{"trial": t.number, **t.params} for t in study.trials])
    return points, {t.number: t.value for t in study.trials if t.value is not None}


def responses(values):
    return pd.DataFrame(
        [{"trial": trial, "replicate": 0, "value": value} for trial, value in values.items()]
    )


def column(table, name):
    return table.set_index("factor")[name]


@pytest.mark.slow
def test_a_search_tells_nothing_of_importance_and_is_refused():
    truth = {"lr": 0.99}
    points, values = designed()
    ours = importance(points, responses(values), FACTORS, draws=8, permutations=4, base=512)
    assert column(ours.table, "first")["lr"] == pytest.approx(truth["lr"], abs=0.03)
    # From a search's trials Optuna's evaluators make the same factor far less important.
    points, values = searched()
    theirs = optuna_importances(points, values, FACTORS)
    assert column(theirs, "ped_anova")["lr"] < 0.8
    assert column(theirs, "optuna_fanova")["lr"] < 0.9
    assert importance(points, responses(values), FACTORS).status == "refused"


def test_a_log_factor_is_measured_on_its_own_scale():
    # Accuracy falls below 1e-3 only: three quarters of the design, a hundredth of the linear range.
    def response(point, rng):
        low = min(np.log10(point["lr"]) + 2.5, 0.0)
        return 0.97 + 0.02 * low + 0.01 * point["momentum"] + 0.0005 * rng.standard_normal()

    factors = [LR, MOMENTUM, CONTROL]
    points, values = designed(64, response, factors)
    ours = importance(points, responses(values), factors, draws=8, permutations=4, base=512)
    theirs = optuna_importances(points, values, factors)
    low = np.minimum(np.linspace(-5, -1, 4001) + 2.5, 0.0)
    main = 0.02**2 * low.var()
    share = main / (main + 0.01**2 * 0.95**2 / 12)
    assert column(ours.table, "first")["lr"] == pytest.approx(share, abs=0.02)
    assert column(ours.table, "forest_first")["lr"] == pytest.approx(share, abs=0.05)
    assert column(theirs, "optuna_fanova")["lr"] < share - 0.1


@pytest.mark.slow
def test_what_makes_accuracies_good_is_not_what_makes_them_bad():
    # The best tenth needs the right momentum; the learning rate only ruins one end of its range.
    def response(point, rng):
        ruined = 0.5 if np.log10(point["lr"]) > -1.5 else 0.0
        return 0.97 - ruined - 0.05 * (point["momentum"] - 0.5) ** 2

    factors = [LR, MOMENTUM, CONTROL]
    points, values = designed(64, response, factors)
    good = optuna_importances(points, values, factors)
    bad = optuna_importances(points, {t: -v for t, v in values.items()}, factors)
    assert column(good, "ped_anova_rank")["momentum"] == 1
    assert column(bad, "ped_anova_rank")["lr"] == 1
    # Less of a loss is as good as more of an accuracy.
    losses = {trial: 1 - value for trial, value in values.items()}
    same = optuna_importances(points, losses, factors, minimize=True)
    for name in ("ped_anova", "ped_anova_local"):
        np.testing.assert_allclose(same[name], good[name])


def test_every_column_says_what_it_answers():
    factors = [
        LR,
        Factor(path="batch", distribution=Integer(low=16, high=256, log=True)),
        Factor(path="opt", distribution=Categorical(choices=("a", "b"))),
        CONTROL,
    ]
    points, values = designed(64, lambda p, rng: np.log10(p["lr"]) + (p["opt"] == "a"), factors)
    table = optuna_importances(points, values, factors)
    ends = ("", "_rank", "_unknown")
    assert set(table.columns) == {"factor", *(f"{name}{end}" for name in QUESTIONS for end in ends)}
    assert table["factor"].tolist() == ["lr", "batch", "opt", INERT]
    for name in QUESTIONS:
        assert table[name].sum() == pytest.approx(1)
        assert table.loc[table[name].idxmax(), f"{name}_rank"] == 1


@pytest.mark.parametrize(
    ("factor", "expected"),
    [
        (LR, FloatDistribution(1e-5, 1e-1, log=True)),
        (MOMENTUM, FloatDistribution(0.0, 0.95)),
        (
            Factor(path="n", distribution=Integer(low=1, high=8, log=True)),
            IntDistribution(1, 8, log=True),
        ),
        (
            Factor(path="o", distribution=Categorical(choices=("a", "b"))),
            CategoricalDistribution(("a", "b")),
        ),
    ],
)
def test_optuna_is_told_the_same_distribution(factor, expected):
    assert distribution_of(factor) == expected


def test_a_tenth_of_a_few_trials_is_no_sample():
    points, values = designed(16)
    table = optuna_importances(points, values, FACTORS)
    for name in QUESTIONS:
        assert set(table[f"{name}_unknown"]) == {"16 points have a response, fewer than 20"}
        assert table[name].isna().all()


def unknown(values, n=64):
    points, _ = designed(n)
    table = optuna_importances(points, dict(enumerate(values)), FACTORS)
    found = {name: set(table[f"{name}_unknown"]) for name in QUESTIONS}
    assert all(len(reasons) == 1 for reasons in found.values())
    for name in QUESTIONS:
        missing = table[[name, f"{name}_rank"]].isna()
        assert (missing == (found[name] != {""})).all(axis=None)
    return {name: reasons.pop() for name, reasons in found.items()}


def test_tied_responses_are_no_contrast():
    """Optuna itself gives every factor the same share here, or all to one, from a single trial."""
    rng = np.random.default_rng(0)
    half = unknown([0.9] * 40 + list(rng.uniform(0.1, 0.5, 24)))
    tied = "the best tenth and the better half are the same 40 of 64 trials: they are tied"
    assert half == {"ped_anova": "", "ped_anova_local": tied, "optuna_fanova": ""}
    one = unknown([0.9] * 63 + [0.1])
    assert one["optuna_fanova"] == "1 of 64 responses differ from all others, fewer than 5"
    assert one["ped_anova"] == "1 of all trials are not in the best tenth, fewer than 5"
    assert "are the same 63 of 64 trials" in one["ped_anova_local"]
    # What rounding leaves of one number is one number.
    same = unknown(list(0.9 + 1e-9 * rng.uniform(size=64)))
    assert same["optuna_fanova"] == "the response is constant: all 64 are the same"
    few = unknown(list(rng.uniform(size=32)), 32)
    assert few["ped_anova"] == "4 of 32 trials are in the best tenth, fewer than 5"
    assert few["optuna_fanova"] == ""
    assert set(unknown(list(rng.uniform(size=64))).values()) == {""}
