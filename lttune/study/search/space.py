"""The space of a search: the factors of a design, declared once, and more of them by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from lttune.config import LotteryConfig, require
from lttune.config.design import Categorical, Distribution, Factor, Integer, LogUniform, Uniform
from lttune.config.design.factors import require_factors
from lttune.config.rules import every_rule
from lttune.errors import ConfigError, unknown


def space_of(factors: Iterable[Factor]) -> dict[str, BaseDistribution]:
    """Returns each factor's path with Optuna's distribution of the same values.

    What is linked to a factor does not follow in a search: give factors without links.

    Raises:
        ConfigError: if one is no ``Factor``.
    """
    factors = [*factors] if isinstance(factors, Iterable) else factors
    require_factors(factors)
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


def _widths(base: LotteryConfig) -> Distribution:
    """Half and twice as many hidden units of a LeNet, in all layers alike."""
    name = base.model.name
    is_lenet = re.fullmatch(r"lenet(-\d+)+", name) is not None
    require(is_lenet, "search_over", "without 'width' unless the network is lenet-H1-H2-...", name)
    units = [int(unit) for unit in name.split("-")[1:]]
    scaled = [[max(1, round(unit * scale)) for unit in units] for scale in (0.5, 1, 2)]
    return Categorical(choices=tuple("-".join(map(str, ["lenet", *one])) for one in scaled))


MORE: dict[str, tuple[str, Callable[[LotteryConfig], Distribution]]] = {
    "optimizer": ("train.optimizer", lambda _: Categorical(choices=("adam", "momentum", "sgd"))),
    "momentum": ("train.momentum", lambda _: Uniform(low=0.5, high=0.99)),
    "weight_decay": ("train.weight_decay", lambda _: Uniform(low=0.0, high=1e-3)),
    "init_scale": ("model.init_scale", lambda _: LogUniform(low=0.25, high=4.0)),
    "width": ("model.name", _widths),
    "warmup": ("train.warmup_steps", lambda base: Integer(low=0, high=base.train.steps // 4)),
}
"""Name of ``StudyConfig.search_over`` -> path, and its distribution beside a base configuration.

Each holds the base's usual value, so that a search still learns from the points of a design."""


def widened(
    space: Mapping[str, BaseDistribution], names: Iterable[str], base: LotteryConfig
) -> dict[str, BaseDistribution]:
    """Returns a space with more factors, each by its name in ``MORE``.

    Raises:
        ConfigError: with a line for each name that is unknown, searched already, or of no meaning
            for the network.
    """
    found = dict(space)
    with every_rule() as rules:
        for name in names:
            rules.attempt(lambda name=name: _add(found, name, base))
    return found


def _add(found: dict[str, BaseDistribution], name: str, base: LotteryConfig) -> None:
    if name not in MORE:
        raise unknown("search_over", name, MORE)
    path, distribution = MORE[name]
    require(path not in found, "search_over", f"without what is searched already ({path})", name)
    try:
        found[path] = distribution_of(Factor(path=path, distribution=distribution(base)))
    except ConfigError as error:
        raise error.within(f"search_over {name!r}") from error
