"""Responses that differ by too little, or at too few points: no shares, but the reason."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from surface import QUICK, curved, sample_of

from analysis.importance import (
    divergence,
    importance,
    importance_by_density,
    importance_given_ok,
    marginal_widths,
    shapley_effects,
)
from analysis.importance import estimate as estimates
from analysis.importance.saltelli import sobol_indices
from analysis.tables.design.importance import unknown_text
from lttune.config.design import lacking_contrast


def extreme(points, count, low=0.5, high=0.98):
    """Returns responses of which those of the smallest x0 are low, and all others high."""
    return np.where(points["x0"].rank() <= count, low, high)


FLAT = "the response is constant: all 64 are the same"
FEW = "{} of 64 responses differ from all others, fewer than 5"
CASES = {
    "a constant": (64, lambda p: np.full(64, 0.98), FLAT),
    "zeros": (64, lambda p: np.zeros(64), FLAT),
    "rounding of float64": (64, lambda p: 0.98 + 1e-15 * p["x0"].round(), FLAT),
    "rounding of float32": (64, lambda p: 0.98 + 1e-7 * p["x0"], FLAT),
    "less than an example": (64, lambda p: 0.98 + 1e-6 * p["x0"], FLAT),
    "one that failed": (64, lambda p: extreme(p, 1), FEW.format(1)),
    "two that failed": (64, lambda p: extreme(p, 2), FEW.format(2)),
    "four that failed": (64, lambda p: extreme(p, 4), FEW.format(4)),
    "four that did not": (64, lambda p: extreme(p, 60), FEW.format(4)),
    "ties but for rounding": (64, lambda p: extreme(p, 4) + 1e-12 * p["x1"], FEW.format(4)),
    "one point": (1, lambda p: p["x0"], "there is one response to compare"),
    "two points": (2, lambda p: p["x0"], "1 of 2 responses differ from all others, fewer than 5"),
    "six points": (6, lambda p: p["x0"], "the response is known at 6 points, fewer than 16"),
}


@pytest.mark.filterwarnings("ignore:The balance properties")
@pytest.mark.parametrize("case", CASES)
def test_without_a_contrast_there_are_no_shares(case):
    n, respond, reason = CASES[case]
    points, responses, factors = sample_of(curved, 2, n)
    found = importance(points, responses.assign(value=respond(points)), factors, **QUICK)
    assert found.status == "undefined"
    assert found.reason == reason
    assert found.table.empty
    assert found.total.empty
    widths = marginal_widths(points, responses.assign(value=respond(points)), factors, margin=0.0)
    assert {width.reason for width in widths.values()} == {found.reason}
    assert all(np.isnan(width.width) for width in widths.values())


def test_replicates_of_a_few_points_are_no_more_points():
    points, responses, factors = sample_of(curved, 2, 8, repeats=8, noise=0.1)
    found = importance(points, responses, factors, **QUICK)
    assert found.trajectories == 24
    assert found.reason == "the response is known at 8 points, fewer than 16"


@pytest.mark.filterwarnings("ignore:The balance properties")
@pytest.mark.parametrize("count", [5, 32])
def test_a_contrast_of_five_on_either_side_is_one(count):
    points, responses, factors = sample_of(curved, 2, 64)
    found = importance(points, responses.assign(value=extreme(points, count)), factors, **QUICK)
    assert found.status == "ok"
    assert found.table.set_index("factor")["total"]["x0"] > 0.8


def test_draws_that_hardly_vary_have_no_shares(monkeypatch):
    points, responses, factors = sample_of(curved, 2, 64)

    def flat_at_first(function, *args, **options):
        shown = sobol_indices(function, *args, **options)
        shown.first[:, 0] = np.nan
        return shown

    monkeypatch.setattr(estimates, "sobol_indices", flat_at_first)
    found = importance(points, responses, factors, **QUICK)
    assert found.status == "undefined"
    assert "hardly vary" in found.reason


@pytest.mark.parametrize("scale", [0.0, 1e-9, 1e-7])
def test_shapley_effects_of_rounding_are_none(scale):
    found = shapley_effects(lambda u: 0.98 + scale * u[:, :1], 2, base=64)
    assert np.isnan(found).all()
    assert np.isnan(sobol_indices(lambda u: 0.98 + scale * u[:, :1], 2, base=64).total).all()


def test_where_networks_are_ok_and_alike_there_are_no_shapley_effects():
    points, responses, factors = sample_of(curved, 2, 64)
    ok = (points["x0"] > 0.3).to_numpy()
    value = np.where(ok, 0.9, np.nan)
    alike = importance_given_ok(points, responses.assign(ok=ok, value=value), factors)
    assert alike.shapley.empty
    assert alike.unknown == f"the response is constant: all {ok.sum()} are the same"
    few = points["x0"].rank().to_numpy() > 3
    found = importance_given_ok(points, responses.assign(ok=few), factors)
    assert found.unknown == "3 trajectories diverged, fewer than 8"
    assert found.importance.reason.endswith(f"no Shapley effects, {found.unknown}")
    assert divergence(points, responses.assign(ok=few), factors).status == "inconclusive"


def test_the_page_says_at_which_densities_shares_are_not_known():
    points, responses, factors = sample_of(curved, 2, 32)
    value = {1.0: 0.98, 0.5: 0.98, 0.2: extreme(points, 2)}
    rows = [responses.assign(density=density, value=own) for density, own in value.items()]
    curves = importance_by_density(points, pd.concat(rows), factors, **QUICK)
    assert unknown_text(curves.strip) == [
        "Shares are not known at 100 %, 50 % of the weights (the response is constant).",
        "Shares are not known at 20 % of the weights "
        "(2 of 32 responses differ from all others, fewer than 5).",
    ]
    known = curves.strip.assign(status="ok", reason="")
    assert unknown_text(known) == []


def test_nothing_is_no_contrast():
    assert lacking_contrast([]) == "there are no responses to compare"
    assert lacking_contrast([0.1 * k for k in range(16)]) == ""
    assert lacking_contrast([1e-15 * k for k in range(16)]).startswith("the response is constant")
