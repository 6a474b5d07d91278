"""The factors of a design as the space of a search: the same ranges, declared once."""

from __future__ import annotations

from collections.abc import Iterable

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from lttune.design import Categorical, Factor, Integer, LogUniform, Uniform


def space_of(factors: Iterable[Factor]) -> dict[str, BaseDistribution]:
    """Returns each factor's path with Optuna's distribution of the same values.

    What is linked to a factor does not follow in a search: give factors without links.
    """
    return {factor.path: distribution_of(factor) for factor in factors}


def distribution_of(factor: Factor) -> BaseDistribution:
    """Returns Optuna's distribution of a factor's values."""
    match factor.distribution:
        case Uniform(low=low, high=high):
            return FloatDistribution(low, high)
        case LogUniform(low=low, high=high):
            return FloatDistribution(low, high, log=True)
        case Integer(low=low, high=high, log=log):
            return IntDistribution(low, high, log=log)
        case Categorical(choices=choices):
            return CategoricalDistribution(choices)
