from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from bounded import bounded
from surface import GRID, by_density, sample_of

from analysis.importance import (
    Importance,
    ImportanceCurves,
    change_point,
    change_table,
    divergence,
    importance,
    importance_by_density,
    importance_given_ok,
    lead_table,
    marginal_widths,
    rank_table,
    sweep_width,
)
from analysis.importance.width import good_length
from lttune.config.design import Categorical, Factor, LogUniform

QUICK = {"draws": 8, "permutations": 4, "base": 256}


@pytest.mark.slow
def test_importances_change_along_the_densities():
    curves = importance_by_density(*by_density(), **QUICK)
    wide = curves.table.pivot_table(index="factor", columns="density", values="total")
    assert (wide.loc["x0", [1.0, 0.512]] > 0.9).all()
    assert (wide.loc["x1", [0.211, 0.087]] > 0.8).all()
    assert curves.strip["density"].tolist() == list(GRID)
    assert curves.strip["trajectories"].tolist() == [32] * 4
    assert (curves.strip["q2"] > 0.5).all()
    assert curves.ended == ""
    assert change_point(curves, "x0") == 0.211
    assert change_point(curves, "x2") is None


def test_a_density_that_is_all_noise_has_no_shares_but_a_place_in_the_strip():
    points, responses, factors = by_density()
    rng = np.random.default_rng(0)
    deep = responses["density"] == 0.087
    responses.loc[deep, "value"] = rng.standard_normal(deep.sum())
    curves = importance_by_density(points, responses, factors, **QUICK)
    assert curves.strip["status"].tolist() == ["ok", "ok", "ok", "inconclusive"]
    assert 0.087 not in set(curves.table["density"])


def test_curves_end_where_a_tenth_of_the_trajectories_is_missing():
    points, responses, factors = by_density()
    gone = (responses["density"] == 0.211) & (responses["trial"] < 4)
    curves = importance_by_density(points, responses[~gone], factors, **QUICK)
    assert set(curves.estimates) == {1.0, 0.512}
    assert "0.211" in curves.ended
    assert curves.missing.set_index("density")["missing"].to_dict()[0.211] == 4


@pytest.mark.slow
def test_diverged_trajectories_are_missing_unless_they_are_to_be_kept():
    points, responses, factors = by_density()
    responses["ok"] = ~((responses["density"] < 0.1) & (responses["trial"] < 8))
    curves = importance_by_density(points, responses, factors, **QUICK)
    assert set(curves.estimates) == {1.0, 0.512, 0.211}
    kept = importance_by_density(points, responses, factors, diverged="kept", **QUICK)
    assert set(kept.estimates) == set(GRID)


def test_a_trajectory_listed_twice_is_refused():
    points, responses, factors = by_density()
    with pytest.raises(ValueError, match="twice"):
        importance_by_density(points, pd.concat([responses, responses[:1]]), factors)


def curves_of(draws: dict[float, np.ndarray]) -> ImportanceCurves:
    estimates = {
        d: Importance(status="ok", total=pd.DataFrame({"lr": values}))
        for d, values in draws.items()
    }
    nothing = pd.DataFrame()
    return ImportanceCurves(
        table=nothing, strip=nothing, missing=nothing, ended="", estimates=estimates
    )


def test_leads_and_leaders_are_those_of_the_draws():
    first = pd.DataFrame({"a": [0.1, 0.2, 0.6], "b": [0.5, 0.5, 0.5], "inert": [0.9] * 3})
    curves = curves_of({1.0: np.zeros(3)})
    curves.estimates[1.0] = Importance(status="ok", total=first)
    curves.estimates[0.5] = Importance(status="inconclusive")
    (lead,) = lead_table(curves).to_dict("records")
    assert (lead["density"], lead["a"], lead["b"]) == (1.0, "a", "b")
    assert lead["lead"] == pytest.approx(-0.2)
    low, high = np.quantile([-0.4, -0.3, 0.1], [0.025, 0.975])
    assert (lead["low"], lead["high"]) == (pytest.approx(low), pytest.approx(high))
    (rank,) = rank_table(curves).to_dict("records")
    # In two of the three draws; Kendall's tau of two factors is 1 or -1.
    assert (rank["leader"], rank["share"], rank["tau"]) == ("b", 2 / 3, pytest.approx(1 / 3))
    changes = change_table(curves)
    assert changes["factor"].tolist() == ["a", "b"]
    assert changes["density"].isna().all()


def test_a_change_must_stand_out_among_all_densities():
    rng = np.random.default_rng(0)
    draws = {0.8**k: 0.5 + 0.1 * rng.standard_normal(400) for k in range(1, 21)}
    draws[1.0] = np.full(400, 0.5)
    # 2.4 standard deviations at one of twenty densities: chance, though p = .02 for it alone.
    draws[0.8**7] = draws[0.8**7] - draws[0.8**7].mean() + 0.5 + 0.24
    assert change_point(curves_of(draws), "lr") is None
    draws[0.8**7] = draws[0.8**7] + 0.16
    assert change_point(curves_of(draws), "lr") == 0.8**7


# ----- Divergence.


def cliff(n=64, slope=0.0):
    """Returns a response that drops to chance where x0 is large, and x1 matters elsewhere."""
    points, responses, factors = sample_of(lambda u: u[:, 1], 2, n, noise=0.05, inert=True)
    u = points[["x0", "x1"]].to_numpy()
    ok = u[:, 0] + slope * u[:, 1] < 0.7
    value = np.where(ok, 0.97 + 0.01 * u[:, 1], 0.1)
    return points, responses.assign(value=value, ok=ok), factors


def test_what_decides_about_divergence_is_told_apart_from_what_matters_without():
    points, responses, factors = cliff(slope=0.3)
    whole = divergence(points, responses, factors, resamples=4)
    assert whole.status == "ok"
    chances = whole.table.set_index("factor")["total"]
    assert chances["x0"] > 0.8
    assert chances["inert"] < 0.05
    assert whole.share_ok == pytest.approx(0.55, abs=0.05)
    given = importance_given_ok(points, responses, factors, **QUICK)
    assert given.importance.status == "refused"
    assert "no box" in given.importance.reason
    shares = given.shapley.set_index("factor")["shapley"]
    assert shares["x1"] > 0.85
    assert shares.sum() == pytest.approx(1)
    # On raw accuracies the cliff takes it all.
    raw = importance(points, responses, factors, **QUICK)
    assert raw.status != "ok" or raw.table.set_index("factor")["total"]["x1"] < 0.4


def test_where_nothing_diverged_there_is_nothing_to_explain():
    points, responses, factors = cliff()
    fine = responses.assign(ok=True, value=0.97 + 0.01 * points["x1"])
    assert divergence(points, fine, factors).status == "undefined"
    given = importance_given_ok(points, fine, factors, **QUICK)
    assert given.importance.status == "ok"
    assert given.shapley.empty
    assert given.share_ok == 1.0


def test_too_few_divergences_explain_nothing():
    points, responses, factors = cliff()
    responses["ok"] = responses["trial"] >= 3
    found = divergence(points, responses, factors)
    assert (found.status, found.table.empty) == ("inconclusive", True)


def test_divergence_at_random_has_no_cause():
    points, responses, factors = cliff()
    responses["ok"] = np.random.default_rng(0).random(len(responses)) < 0.7
    found = divergence(points, responses, factors)
    assert found.status == "inconclusive"
    assert found.skill < 0.5


# ----- Widths.


def gains(values, mean, replicates=10, noise=0.0):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        [
            {"value": v, "replicate": r, "gain": g + noise * rng.standard_normal()}
            for v, g in zip(values, mean, strict=True)
            for r in range(replicates)
        ]
    )


def test_the_good_width_of_a_sweep_is_in_decades():
    table = gains([1e-5, 1e-4, 1e-3, 1e-2, 1e-1], [-0.1, 0.0, 0.01, 0.002, -0.02])
    # Crossings of -0.002: a fiftieth of the way up the first decade from its top, and 4/22 into
    # the last.
    width = sweep_width(table, margin=0.002)
    assert width.width == pytest.approx(0.02 + 2 + 4 / 22)
    assert (width.whole, width.opens_low, width.opens_high) == (pytest.approx(4), False, False)
    assert width.low == pytest.approx(width.width) == pytest.approx(width.high)


def test_a_sweep_whose_ends_are_good_is_wider_than_it_can_tell():
    width = sweep_width(gains([0.1, 0.2, 0.4], [0.0, 0.0, -0.001]), margin=0.002, log=False)
    assert width.width == pytest.approx(0.3)
    assert (width.opens_low, width.opens_high) == (True, True)


def test_more_noise_is_a_wider_interval_and_one_replicate_has_none():
    values, means = [1e-4, 1e-3, 1e-2], [-0.01, 0.01, -0.01]
    quiet, noisy = (
        sweep_width(gains(values, means, noise=noise), margin=0.002) for noise in (0.001, 0.01)
    )
    assert noisy.low < quiet.low < quiet.width < quiet.high < noisy.high
    assert np.isnan(sweep_width(gains(values, means, replicates=1), margin=0.002).low)


def test_replicates_are_resampled_for_all_values_together():
    values, means = [1e-4, 1e-3, 1e-2], np.array([-0.01, 0.01, -0.01])
    shifts = np.random.default_rng(0).normal(0, 0.01, 8)
    table = pd.concat(
        [gains(values, means + s, 1).assign(replicate=r) for r, s in enumerate(shifts)]
    )
    width = sweep_width(table, margin=0.002)
    # All values of a replicate move together, so the width is a function of the mean shift.
    picked = np.random.default_rng(1).choice(shifts, (4000, 8)).mean(1)
    low, high = (
        good_length(np.array([-4.0, -3.0, -2.0]), means[:, None] + q + 0.002)[0]
        for q in np.quantile(picked, [0.025, 0.975])
    )
    assert width.low == pytest.approx(low, abs=0.06)
    assert width.high == pytest.approx(high, abs=0.06)


def test_a_setting_that_sometimes_diverges_is_not_robust():
    table = gains([1e-4, 1e-3, 1e-2], [0.0, 0.0, 0.0])
    assert sweep_width(table, margin=0.002).width == pytest.approx(2)
    table.loc[len(table) - 1, "gain"] = np.nan
    assert sweep_width(table, margin=0.002).width < 1.1


def test_replicates_that_some_values_lack_are_left_out_of_all():
    table = gains([1e-4, 1e-3], [0.0, 0.0], replicates=3)
    assert sweep_width(table[:-1], margin=0.0).n == 2
    with pytest.raises(ValueError, match="replicates"):
        sweep_width(table[table["value"] == 1e-3], margin=0.0)


def test_replicates_that_share_no_value_take_no_cell_of_each():
    names = [f"{n}" for n in range(2_000)]
    table = pd.DataFrame({"value": range(1, 2_001), "replicate": names, "gain": 0.0})
    with bounded(), pytest.raises(ValueError, match="replicates that have all of them"):
        sweep_width(table, margin=0.0)


@pytest.mark.slow
def test_the_marginal_width_is_that_of_the_main_effect():
    points, responses, factors = sample_of(lambda u: 0.1 * (u[:, 0] - 0.4), 2, 64, noise=0.1)
    lr = Factor(path="x0", distribution=LogUniform(low=1e-5, high=1e-1))
    found = marginal_widths(points, responses, [lr, factors[1]], margin=0.02, unit=True)
    assert list(found) == ["x0", "x1"]
    width = found["x0"]
    # The gain is above -0.02 from u = 0.2 on: 0.8 of four decades.
    assert width.width == pytest.approx(3.2, abs=0.05)
    assert width.low < width.width < width.high
    assert (width.opens_low, width.opens_high, width.whole) == (False, True, pytest.approx(4))


def test_a_marginal_width_needs_a_good_surrogate_and_an_order():
    points, responses, factors = sample_of(lambda u: u[:, 0], 2, 32, inert=True)
    noise = np.random.default_rng(0).standard_normal(32)
    found = marginal_widths(points, responses.assign(value=noise), factors, margin=0.0)
    assert list(found) == ["x0", "x1"]
    assert np.isnan(found["x0"].width)
    assert "Q2" in found["x0"].reason
    same = marginal_widths(points, responses.assign(value=0.5), factors, margin=0.0)
    assert same["x0"].reason == "the response is constant: all 32 are the same"
    kind = Factor(path="x0", distribution=Categorical(choices=(0, 1)))
    points = points.assign(x0=(points["x0"] > 0.5).astype(int))
    assert list(marginal_widths(points, responses, [kind, *factors[1:]], margin=0.0)) == ["x1"]
