"""Ranges of hyperparameters, to the unit interval and back."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lttune.config.design import (
    Categorical,
    Integer,
    LogUniform,
    Uniform,
)
from lttune.errors import ConfigError


@pytest.mark.parametrize(
    ("distribution", "values"),
    [
        (Uniform(low=-1.0, high=3.0), [-1.0, 0.0, 3.0]),
        (LogUniform(low=1e-5, high=1e-1), [1e-5, 1.2e-3, 1e-1]),
        (Integer(low=0, high=9), list(range(10))),
        (Integer(low=16, high=256, log=True), list(range(16, 257))),
        (Categorical(choices=("adam", "sgd", "momentum")), ["adam", "sgd", "momentum"]),
    ],
)
def test_a_value_goes_to_the_unit_interval_and_back(distribution, values):
    for value in values:
        u = distribution.to_unit(value)
        assert -1e-9 <= u <= 1 + 1e-9
        assert distribution.from_unit(u) == pytest.approx(value)
        assert type(distribution.from_unit(u)) is type(value)


@pytest.mark.parametrize(
    ("distribution", "low", "high"),
    [
        (Uniform(low=0.1, high=0.7), 0.1, 0.7),
        (LogUniform(low=1e-4, high=3e-2), 1e-4, 3e-2),
        # floor(exp(log(16))) is 15.
        (Integer(low=16, high=256, log=True), 16, 256),
        (Integer(low=1, high=2), 1, 2),
        (Categorical(choices=("a", "b")), "a", "b"),
    ],
)
def test_the_ends_of_the_unit_interval_are_the_ends_of_the_range(distribution, low, high):
    assert distribution.from_unit(0.0) == low
    assert distribution.from_unit(1.0) == high


def test_a_learning_rate_is_uniform_in_its_logarithm():
    distribution = LogUniform(low=1e-4, high=1e-2)
    assert distribution.from_unit(0.5) == pytest.approx(1e-3)
    assert distribution.to_unit(1e-3) == pytest.approx(0.5)
    assert distribution.decades == pytest.approx(2)


@pytest.mark.parametrize("log", [False, True])
def test_whole_numbers_own_the_quantiles_between_their_half_integer_borders(log):
    distribution = Integer(low=1, high=8, log=log)
    draws = np.linspace(0, 1, 200_001)[:-1]
    values = np.array([distribution.from_unit(u) for u in draws[::20]])
    share = (values == 1).mean()
    expected = math.log(1.5 / 0.5) / math.log(8.5 / 0.5) if log else 1 / 8
    assert share == pytest.approx(expected, abs=1e-3)
    for value in range(1, 9):
        for jitter in (0.001, 0.5, 0.999):
            assert distribution.from_unit(distribution.to_unit(value, jitter)) == value


@pytest.mark.parametrize(
    "make",
    [
        lambda: Uniform(low=1.0, high=1.0),
        lambda: Uniform(low=0.0, high=math.inf),
        lambda: LogUniform(low=0.0, high=1.0),
        lambda: Integer(low=0, high=5, log=True),
        lambda: Integer(low=5, high=4),
        lambda: Categorical(choices=()),
        lambda: Categorical(choices=("a",)),
        lambda: Categorical(choices=("a", "a")),
        lambda: Categorical(choices=("a", "b")).to_unit("c"),
    ],
)
def test_a_distribution_that_makes_no_sense_is_refused(make):
    with pytest.raises(ConfigError):
        make()
