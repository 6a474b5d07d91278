"""The same sample said otherwise gives the same importances."""

from __future__ import annotations

import numpy as np
import pandas as pd
from surface import QUICK, curved, sample_of, totals, uniform_factors

from analysis.importance import importance
from lttune.config.design import INERT, Factor, LogUniform, Uniform


def test_shuffled_rows_change_nothing():
    points, responses, factors = sample_of(curved, 2, 32, noise=0.2, repeats=8)
    expected = importance(points, responses, factors, **QUICK)
    shuffled = importance(
        points.sample(frac=1, random_state=0),
        responses.sample(frac=1, random_state=1),
        factors,
        **QUICK,
    )
    pd.testing.assert_frame_equal(shuffled.table, expected.table)
    pd.testing.assert_frame_equal(shuffled.total, expected.total)


def test_names_of_factors_and_trials_change_nothing_else():
    points, responses, factors = sample_of(curved, 2, 32, noise=0.2)
    expected = importance(points, responses, factors, **QUICK).table
    renamed = importance(
        points.rename(columns={"x0": "zz", "x1": "aa"}).assign(trial=points["trial"] + 7),
        responses.assign(trial=responses["trial"] + 7),
        uniform_factors(["zz", "aa"]),
        **QUICK,
    ).table
    assert renamed["factor"].tolist() == ["zz", "aa"]
    pd.testing.assert_frame_equal(renamed.drop(columns="factor"), expected.drop(columns="factor"))


def test_the_order_of_factors_does_not_matter():
    points, responses, factors = sample_of(curved, 3, 64, noise=0.1)
    there = totals(importance(points, responses, factors, **QUICK))
    back = totals(importance(points, responses, factors[::-1], **QUICK))
    np.testing.assert_allclose(back[there.index], there, atol=0.03)


def test_units_of_a_factor_do_not_matter():
    points, responses, factors = sample_of(curved, 2, 32)
    lr = 10 ** (4 * points["x0"] - 5)
    as_lr = Factor(path="x0", distribution=LogUniform(low=1e-5, high=1e-1))
    as_ln = Factor(
        path="x0", distribution=Uniform(low=float(np.log(1e-5)), high=float(np.log(1e-1)))
    )
    expected = importance(points, responses, factors, **QUICK).table
    for factor, values in ((as_lr, lr), (as_ln, np.log(lr))):
        found = importance(points.assign(x0=values), responses, [factor, factors[1]], **QUICK).table
        pd.testing.assert_frame_equal(found, expected, atol=1e-4)
    cube = importance(points, responses, [as_lr, factors[1]], unit=True, **QUICK).table
    pd.testing.assert_frame_equal(cube, expected)


def test_scale_and_direction_of_the_response_do_not_matter():
    points, responses, factors = sample_of(curved, 3, 64, noise=0.1)
    there = totals(importance(points, responses, factors, **QUICK))
    flipped = responses.assign(value=5 - 0.01 * responses["value"])
    back = totals(importance(points, flipped, factors, **QUICK))
    np.testing.assert_allclose(back, there, atol=0.02)


def test_the_inert_factor_changes_no_other():
    points, responses, factors = sample_of(curved, 3, 64, noise=0.1, inert=True)
    options = {**QUICK, "draws": 32}
    with_inert = totals(importance(points, responses, factors, **options))
    without = totals(importance(points, responses, factors[:-1], **options))
    assert (with_inert[without.index] - without).abs().max() < 0.02
    assert with_inert[INERT] < 0.02
