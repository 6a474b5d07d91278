"""Factors: the hyperparameters that a design varies, each by a distribution of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from lttune.config.design.distributions import (
    Categorical,
    Distribution,
    Floats,
    Integer,
    LogUniform,
    Uniform,
)
from lttune.config.fields import as_python, is_number, require
from lttune.errors import ConfigError, unknown

INERT = "inert"
"""Name of the control factor that nothing reads. What an estimator finds for it is its error."""

PRUNING_RATE: dict[str, float] = {
    "prune.fractions.fc1": 1.0,
    "prune.fractions.fc2": 1.0,
    "prune.fractions.out": 0.5,
}
"""What follows ``prune.fraction``: the preset names its layers, so the fraction alone would change
nothing; the output layer goes at half the rate (Frankle & Carbin 2019, section 2 and G.4)."""

KINDS: dict[str, type[Distribution]] = {
    "uniform": Uniform,
    "log_uniform": LogUniform,
    "integer": Integer,
    "categorical": Categorical,
}


@dataclass(frozen=True, kw_only=True)
class Factor:
    """One thing that a design varies."""

    path: str
    """Dotted path of the hyperparameter, or ``INERT``."""
    distribution: Distribution
    """Which values it takes, and how often."""
    linked: Mapping[str, float] = field(default_factory=dict)
    """Other paths that follow it, each at this multiple of its value."""

    def __post_init__(self) -> None:
        """Raises ``ConfigError`` if a field is of another kind, as a distribution of Optuna's."""
        require(isinstance(self.path, str), "Factor.path", "a text", self.path)
        rule = f"one of {', '.join(kind.__name__ for kind in KINDS.values())}"
        is_ours = isinstance(self.distribution, tuple(KINDS.values()))
        require(is_ours, f"distribution of the factor {self.path}", rule, self.distribution)
        linked = as_python(self.linked)
        object.__setattr__(self, "linked", linked)
        ok = isinstance(linked, Mapping)
        ok = ok and all(isinstance(p, str) and is_number(k) for p, k in linked.items())
        rule = "a dict of dotted paths to multiples of the value"
        require(ok, f"linked of the factor {self.path}", rule, linked)

    def hparams(self, value: Any) -> dict[str, Any]:
        """Returns what a configuration overrides at a value; nothing for the inert factor."""
        if self.path == INERT:
            return {}
        return {self.path: value, **{path: scale * value for path, scale in self.linked.items()}}

    def plain(self) -> dict[str, Any]:
        """Returns plain JSON values; ``from_plain`` reads them back."""
        kind = next(name for name, kind in KINDS.items() if isinstance(self.distribution, kind))
        values = dataclasses.asdict(self.distribution)
        values = {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}
        return {"path": self.path, "kind": kind, **values, "linked": dict(self.linked)}

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Factor:
        """Returns the factor of plain values.

        Raises:
            ConfigError: if the kind is unknown, a value is missing or breaks its rule.
        """
        rest = dict(values)
        path, kind, linked = rest.pop("path", None), rest.pop("kind", None), rest.pop("linked", {})
        require(isinstance(path, str), "factor.path", "a text", path)
        if kind not in [*KINDS]:
            raise unknown("factor.kind", kind, KINDS)
        try:
            return cls(path=path, distribution=KINDS[kind](**rest), linked=linked)
        except (TypeError, AttributeError):
            rule = "of the fields and types of its kind"
            raise ConfigError(f"factor {path} must be {rule}, got {dict(values)}") from None


def require_factors(factors: object) -> None:
    """Raises ``ConfigError`` unless factors are a list or tuple of ``Factor``."""
    rule = "a list or tuple of Factor"
    require(isinstance(factors, list | tuple), "factors", rule, factors)
    for one in cast("Sequence[object]", factors):
        require(isinstance(one, Factor), "factors", rule, one)


def check(factors: Sequence[Factor]) -> None:
    """Raises ``ConfigError`` if they are none, there is no factor, or two set the same path."""
    require_factors(factors)
    require(len(factors) > 0, "factors", "at least one", [])
    paths = [path for factor in factors for path in (factor.path, *factor.linked)]
    require(len(set(paths)) == len(paths), "factors", "of different paths", sorted(paths))


def with_inert(factors: Sequence[Factor]) -> list[Factor]:
    """Returns the factors with the inert one last, added unless it is there."""
    own = [factor for factor in factors if factor.path != INERT]
    found = [factor for factor in factors if factor.path == INERT]
    return [*own, *(found or [Factor(path=INERT, distribution=Uniform(low=0.0, high=1.0))])]


def nested(factors: Iterable[Factor], ranges: Mapping[str, Sequence[Any]]) -> list[Factor]:
    """Returns the factors with some ranges narrowed, for a design inside a region.

    Args:
        factors: those of the wider design.
        ranges: path -> (low, high) of a number, or the choices that are left of a categorical.

    Raises:
        ConfigError: if a range names no factor, or is not inside the factor's own.
    """
    factors = [*factors]
    require_factors(factors)
    require(isinstance(ranges, Mapping), "ranges", "a dict of paths to ranges", ranges)
    by_path = {factor.path: factor for factor in factors}
    for path in ranges:
        if path not in by_path:
            raise unknown("nested range", path, by_path)
    narrow: list[Factor] = []
    for factor in by_path.values():
        distribution = factor.distribution
        if factor.path in ranges:
            distribution = _narrowed(factor.path, distribution, ranges[factor.path])
        narrow.append(dataclasses.replace(factor, distribution=distribution))
    return narrow


def _narrowed(path: str, distribution: Distribution, values: Sequence[Any]) -> Distribution:
    rule = "a list or tuple: low and high of a number, or some choices"
    values = as_python(values)
    require(isinstance(values, list | tuple), path, rule, values)
    if isinstance(distribution, Categorical):
        require(all(isinstance(one, Hashable) for one in values), path, rule, values)
        require(set(values) <= set(distribution.choices), path, "some of its choices", values)
        return Categorical(choices=tuple(c for c in distribution.choices if c in values))
    ok = len(values) == 2 and all(map(is_number, values))
    require(ok, path, "(low, high)", values)
    low, high = values
    rule = f"inside {distribution.low} to {distribution.high}"
    require(distribution.low <= low < high <= distribution.high, path, rule, values)
    return dataclasses.replace(distribution, low=low, high=high)


def encode(factors: Sequence[Factor], unit: Floats) -> tuple[Floats, list[int]]:
    """Returns a surrogate's columns for unit coordinates, and the factor each belongs to.

    Args:
        factors: d factors.
        unit: quantiles, shape (n, d).
    """
    blocks = [factor.distribution.encode(unit[:, j]) for j, factor in enumerate(factors)]
    owners = [j for j, block in enumerate(blocks) for _ in range(block.shape[1])]
    return np.hstack(blocks), owners
