"""Variance components against statsmodels, against closed forms, and on planted variances."""

import numpy as np
import pandas as pd
import pytest

from analysis.statistics.components import variance_components


def sweep_frame(seed=0, values=3, densities=4, replicates=6, effect=0.0):
    """Gains of a sweep, with noise of seed, trajectory and residual."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        [
            {"value": v, "density": d, "replicate": r, "trajectory": f"{v}-{r}"}
            for v in range(values)
            for r in range(replicates)
            for d in range(densities)
        ]
    )
    luck = rng.normal(0, 1.0, replicates)[frame["replicate"]]
    path = dict(
        zip(frame["trajectory"].unique(), rng.normal(0, 0.7, values * replicates), strict=True)
    )
    noise = rng.normal(0, 0.5, len(frame))
    frame["gain"] = 5 + effect * frame["value"] + luck + frame["trajectory"].map(path) + noise
    return frame


def random_of(frame):
    return {"replicate": frame["replicate"], "trajectory": frame["trajectory"]}


def cell_means(*factors):
    """Fixed effects with one mean for each combination of the factors that occurs."""
    cells = pd.factorize(pd.MultiIndex.from_arrays([np.asarray(f) for f in factors]))[0]
    return np.eye(int(cells.max()) + 1)[cells]


def test_the_model_is_that_of_statsmodels():
    formula = pytest.importorskip("statsmodels.formula.api")
    frame = sweep_frame()
    design = cell_means(frame["value"], frame["density"])
    found = variance_components(frame["gain"], design, random_of(frame))
    oracle = formula.mixedlm(
        "gain ~ C(value) * C(density)",
        frame.assign(all=1),
        groups="all",
        re_formula="0",
        vc_formula={"replicate": "0 + C(replicate)", "trajectory": "0 + C(trajectory)"},
    ).fit(reml=True, method=["lbfgs", "powell"])
    assert found.variances["residual"] == pytest.approx(oracle.scale, rel=1e-4)
    names = oracle.model.exog_vc.names
    assert [found.variances[name] for name in names] == pytest.approx(oracle.vcomp, rel=1e-3)
    fitted = design @ found.fixed
    np.testing.assert_allclose(fitted, oracle.model.exog @ oracle.fe_params, atol=1e-8)
    # Another coding of the same cells moves the restricted likelihood by a constant.
    own = np.linalg.slogdet(design.T @ design)[1]
    shift = (own - np.linalg.slogdet(oracle.model.exog.T @ oracle.model.exog)[1]) / 2
    assert found.log_likelihood + shift == pytest.approx(oracle.llf, abs=1e-6)
    assert found.log_likelihood + shift >= oracle.llf - 1e-8


def test_balanced_components_are_those_of_the_analysis_of_variance():
    rng = np.random.default_rng(1)
    init, order, noise = rng.normal(0, 1, 5), rng.normal(0, 0.5, 6), rng.normal(0, 0.3, (5, 6))
    x = 10 + init[:, None] + order + noise
    rows, columns = np.indices(x.shape)
    found = variance_components(
        x.ravel(), np.ones((30, 1)), {"init": rows.ravel(), "order": columns.ravel()}
    )
    rest = x - x.mean(axis=1, keepdims=True) - x.mean(axis=0) + x.mean()
    residual = (rest**2).sum() / 20
    assert found.variances["residual"] == pytest.approx(residual, rel=1e-5)
    by_init = x.mean(axis=1).var(ddof=1) - residual / 6
    by_order = x.mean(axis=0).var(ddof=1) - residual / 5
    assert found.variances["init"] == pytest.approx(by_init, rel=1e-4)
    assert found.variances["order"] == pytest.approx(by_order, rel=1e-4)
    assert sum(found.shares.values()) == pytest.approx(1)
    assert found.fixed[0] == pytest.approx(x.mean())


def test_a_component_that_is_not_there_is_zero_and_order_does_not_matter():
    frame = sweep_frame(2)
    rng = np.random.default_rng(3)
    labels = rng.permutation(np.arange(len(frame)) % 4)
    design = cell_means(frame["value"])
    found = variance_components(frame["gain"], design, {**random_of(frame), "none": labels})
    assert found.shares["none"] < 0.05
    mixed = frame.sample(frac=1, random_state=0)
    again = variance_components(mixed["gain"], cell_means(mixed["value"]), random_of(mixed))
    plain = variance_components(frame["gain"], design, random_of(frame))
    assert again.variances == pytest.approx(plain.variances, rel=1e-3)
    scaled = variance_components(100 * frame["gain"], design, random_of(frame))
    assert scaled.variances["residual"] == pytest.approx(
        1e4 * plain.variances["residual"], rel=1e-3
    )


@pytest.mark.slow
def test_planted_variances_come_back_in_the_mean():
    found = []
    for seed in range(25):
        frame = sweep_frame(seed, replicates=8)
        found.append(
            variance_components(
                frame["gain"], cell_means(frame["value"]), random_of(frame)
            ).variances
        )
    mean = pd.DataFrame(found).mean()
    assert mean["residual"] == pytest.approx(0.25, rel=0.1)
    assert mean["trajectory"] == pytest.approx(0.49, rel=0.2)
    assert mean["replicate"] == pytest.approx(1.0, rel=0.3)


def test_collinear_effects_are_refused():
    frame = sweep_frame()
    full = np.hstack([cell_means(frame["value"]), np.ones((len(frame), 1))])
    with pytest.raises(ValueError, match="cannot be told apart"):
        variance_components(frame["gain"], full, random_of(frame))
