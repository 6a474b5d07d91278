"""The sequential rules where looks, ties and several questions meet."""

import numpy as np
import pytest

from analysis.statistics.sequential.looks import ever
from analysis.statistics.sequential.process import PROCESSES
from analysis.statistics.verdicts.sequential.evidence import any_true
from analysis.statistics.verdicts.sequential.pair_rules import (
    sequential_numeric,
    sequential_superiority,
)
from analysis.statistics.verdicts.sequential.sweep_rules import (
    sequential_best_value,
    sequential_existence,
    sequential_trend,
)

T, SIGN = PROCESSES["t"], PROCESSES["sign"]


def test_a_density_whose_first_look_comes_later_takes_nothing_back():
    x = np.random.default_rng(2).normal(0.8, 1, (20, 4))
    x[:6, 1] = x[:9, 2] = np.nan
    x[:, 3] = np.nan
    found = [sequential_existence(x[:n], process=T, margin=0.0).p for n in range(5, 21)]
    assert found == sorted(found, reverse=True)
    assert found[-1] < 0.05


def test_one_of_several_is_shown_by_bonferroni():
    x = np.random.default_rng(3).normal(0, 1, (15, 4)) + np.array([0, 0, 0, 2.0])
    paths = [T.log_e(column, side="greater") for column in x.T]
    found = any_true(paths)
    assert found.p == pytest.approx(4 * min(map(ever, paths)))
    assert found.e == pytest.approx(np.mean([np.exp(path[-1]) for path in paths]))


def test_a_median_at_the_null_is_not_above_it():
    x = np.array([0.0, 1.0] * 8)
    found = sequential_superiority(x, process=SIGN)
    assert found.verdict == "inconclusive"
    assert found.p > 0.05


def test_a_trend_is_contradicted_by_two_questions_that_share_alpha():
    x = np.random.default_rng(5).normal(0, 1, (12, 1)) + np.zeros(3)
    x = x + np.random.default_rng(6).normal(0, 0.5, (12, 3))
    found = sequential_trend(x, process=T, margin=1.0)
    gaps = [x[:, i] - x[:, j] for i, j in ((0, 1), (0, 2), (1, 2))]
    flat = max(
        max(
            ever(T.log_e(gap, null=1.0, side="less")), ever(T.log_e(gap, null=-1.0, side="greater"))
        )
        for gap in gaps
    )
    falls = sequential_trend(x, process=T).p_against
    assert found.p_against == pytest.approx(min(1.0, 2 * min(flat, falls)))
    assert flat < falls


def test_equal_values_count_in_the_family():
    found = sequential_superiority(np.full(8, 0.3), process=T)
    assert (found.verdict, found.p, found.p_against, found.e) == ("inconclusive", 1, 1, 0)


def test_what_no_rule_takes_is_refused_as_by_the_fixed_ones():
    x = np.random.default_rng(1).normal(0, 1, (8, 3))
    with pytest.raises(ValueError, match="a ratio must be > 0, got -2"):
        sequential_numeric(x[:, 0], process=SIGN, number=-2, log=True)
    for rivals in ([], [1]):
        with pytest.raises(ValueError, match="rivals must be values other than 1"):
            sequential_best_value(x, process=T, value=1, rivals=rivals)
