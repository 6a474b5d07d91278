"""Trajectories that lack a density: left out there alone, and told."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from surface import GRID, by_density

from analysis.importance import importance, importance_by_density, sample
from analysis.importance.estimate import resampled
from analysis.importance.missing import missing_text

QUICK = {"draws": 8, "permutations": 4, "base": 256}


def test_each_density_is_about_all_trajectories_that_have_it():
    points, responses, factors = by_density()
    gone = (responses["density"] == 0.087) & (responses["trial"] < 3)
    whole = importance_by_density(points, responses, factors, **QUICK)
    curves = importance_by_density(points, responses[~gone], factors, **QUICK)
    assert curves.ended == ""
    assert curves.strip["trajectories"].tolist() == [32, 32, 32, 29]
    for density in GRID[:-1]:
        a, b = (found.estimates[density].total for found in (whole, curves))
        pd.testing.assert_frame_equal(a, b)
    kept = responses[(responses["density"] == 0.087) & (responses["trial"] >= 3)]
    alone = importance(points, kept.drop(columns="density"), factors, **QUICK)
    listed = ["factor", "forest_first"]
    pd.testing.assert_frame_equal(curves.estimates[0.087].table[listed], alone.table[listed])


def test_resamples_of_two_densities_are_of_the_same_trajectories():
    """Of one response that some lack: the resample of those that have it, in the same order."""
    points, responses, factors = by_density()
    here = responses[responses["density"] == 1.0].drop(columns="density")
    some = here.assign(value=here["value"].where(here["trial"] % 5 > 0))
    a, b = (sample(points, table, factors) for table in (here, some))
    assert (len(a.y), len(b.y)) == (32, int((here["trial"] % 5 > 0).sum()))
    for of_all, of_some in zip(resampled(a, 5, 3), resampled(b, 5, 3), strict=True):
        trials = np.array(a.trials)[a.owner[of_all]]
        assert list(np.array(b.trials)[b.owner[of_some]]) == list(trials[trials % 5 > 0])


def test_it_is_said_who_lacks_a_density_and_whether_that_depends_on_a_factor():
    points, responses, factors = by_density()
    small = set(points.sort_values("x1")["trial"][:3])
    gone = (responses["density"] == 0.087) & responses["trial"].isin(small)
    curves = importance_by_density(points, responses[~gone], factors, **QUICK)
    last = curves.missing.set_index("density").loc[0.087]
    assert (last["missing"], last["of"], last["factor"], last["side"]) == (3, 32, "x1", "small")
    others = points.loc[~points["trial"].isin(small), "x1"]
    alone = stats.mannwhitneyu(points.loc[points["trial"].isin(small), "x1"], others).pvalue
    assert last["p"] == pytest.approx(len(factors) * alone)
    [text] = missing_text(curves.missing)
    assert text.startswith("At 8.7 % of the weights 3 of 32 trajectories have no value")
    assert "not missing at random: their points have small values of x1 (p = " in text
    # A middling value of every factor: nothing to be seen.
    middle = (points[["x0", "x1", "x2"]] - 0.5).abs().max(axis=1).sort_values().index[:1]
    gone = (responses["density"] == 0.087) & responses["trial"].isin(points.loc[middle, "trial"])
    [text] = missing_text(importance_by_density(points, responses[~gone], factors, **QUICK).missing)
    assert "not missing at random" not in text
