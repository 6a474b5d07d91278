"""Distributions of one hyperparameter: the measure that "how much does it matter" refers to.

Each maps its values to the unit interval by its own distribution function, so that a uniform draw
of the interval is a draw of the hyperparameter, and importances are shares of variance under the
distribution that was declared: a learning rate by its logarithm, never on the linear scale.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lttune.config.fields import as_python, is_int, is_number, require
from lttune.config.rules import every_rule

Floats = NDArray[np.float64]


def _check(distribution: Uniform | LogUniform | Integer, rule: str, above: float) -> None:
    """Raises ``ConfigError`` unless its ends are numbers of its kind, above a bound, low < high."""
    whole = isinstance(distribution, Integer)
    name, ends = type(distribution).__name__, list[Any]()
    with every_rule(part=False) as rules:
        for end in ("low", "high"):
            value = as_python(getattr(distribution, end))
            object.__setattr__(distribution, end, value)
            ends.append(value)
            ok = is_int(value) if whole else is_number(value)
            kind = "a whole number" if whole else "a finite number"
            rules.require(ok, f"{name}.{end}", kind, value)
        if not rules.broken:
            rules.require(above < ends[0] < ends[1], name, f"of {rule}", tuple(ends))


@dataclass(frozen=True, kw_only=True)
class Uniform:
    """Uniform from ``low`` to ``high``."""

    low: float
    high: float

    def __post_init__(self) -> None:
        """Raises ``ConfigError`` unless low < high."""
        _check(self, "low < high", above=-math.inf)

    def from_unit(self, u: float) -> float:
        """Returns the value at quantile ``u`` in [0, 1]."""
        return float(np.clip(self.low + u * (self.high - self.low), self.low, self.high))

    def to_unit(self, value: Any, jitter: float = 0.5) -> float:
        """Returns the quantile of a value; below 0 or above 1 if it lies outside."""
        return (float(value) - self.low) / (self.high - self.low)

    def encode(self, u: Floats) -> Floats:
        """Returns quantiles, shape (n,), as columns for a surrogate, shape (n, 1)."""
        return u[:, None]


@dataclass(frozen=True, kw_only=True)
class LogUniform:
    """Uniform in the logarithm, from ``low`` to ``high``, both > 0."""

    low: float
    high: float

    def __post_init__(self) -> None:
        """Raises ``ConfigError`` unless 0 < low < high."""
        _check(self, "0 < low < high", above=0)

    @property
    def decades(self) -> float:
        """Width of the range in powers of ten."""
        return math.log10(self.high / self.low)

    def from_unit(self, u: float) -> float:
        """Returns the value at quantile ``u`` in [0, 1]."""
        value = self.low * (self.high / self.low) ** u
        return float(np.clip(value, self.low, self.high))

    def to_unit(self, value: Any, jitter: float = 0.5) -> float:
        """Returns the quantile of a value > 0; below 0 or above 1 if it lies outside."""
        return math.log(float(value) / self.low) / math.log(self.high / self.low)

    def encode(self, u: Floats) -> Floats:
        """Returns quantiles, shape (n,), as columns for a surrogate, shape (n, 1)."""
        return u[:, None]


@dataclass(frozen=True, kw_only=True)
class Integer:
    """Whole numbers from ``low`` to ``high``, both included, uniform or uniform in the logarithm.

    A value owns the quantiles between its half-integer borders.
    """

    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        """Raises ``ConfigError`` unless low < high, whole numbers, and low >= 1 if ``log``."""
        require(isinstance(self.log, bool), "Integer.log", "a bool", self.log)
        rule = "1 <= low < high, as it is uniform in the logarithm" if self.log else "low < high"
        _check(self, rule, above=0 if self.log else -math.inf)

    def _position(self, x: Any) -> Floats:
        ends = np.array([self.low - 0.5, self.high + 0.5])
        x = np.asarray(x, dtype=float)
        if self.log:
            ends, x = np.log(ends), np.log(x)
        return (x - ends[0]) / (ends[1] - ends[0])

    def _value(self, u: Any) -> Floats:
        low, high = self.low - 0.5, self.high + 0.5
        x = low * (high / low) ** u if self.log else low + u * (high - low)
        return np.clip(np.floor(x + 0.5), self.low, self.high)

    def from_unit(self, u: float) -> int:
        """Returns the value that owns quantile ``u`` in [0, 1]."""
        return int(self._value(u))

    def to_unit(self, value: Any, jitter: float = 0.5) -> float:
        """Returns a quantile that the value owns: its mid-rank, or another share ``jitter``."""
        low, high = self._position(value - 0.5), self._position(value + 0.5)
        return float(low + jitter * (high - low))

    def encode(self, u: Floats) -> Floats:
        """Returns the mid-ranks of the values that own the quantiles, shape (n, 1)."""
        value = self._value(u)
        return ((self._position(value - 0.5) + self._position(value + 0.5)) / 2)[:, None]


@dataclass(frozen=True, kw_only=True)
class Categorical:
    """One of ``choices``, all equally likely; their order means nothing."""

    choices: tuple[Any, ...]

    def __post_init__(self) -> None:
        """Raises ``ConfigError`` unless there are two or more different choices."""
        rule = "a list or tuple of two or more different values"
        given = as_python(self.choices)
        require(isinstance(given, list | tuple), "Categorical.choices", rule, given)
        choices = tuple(given)
        object.__setattr__(self, "choices", choices)
        kinds = str | int | float | bool | None
        plain = all(isinstance(one, kinds) for one in choices)
        require(plain, "Categorical.choices", "texts, numbers, bools or None", choices)
        ok = len(choices) >= 2 and len(set(choices)) == len(choices)
        require(ok, "Categorical.choices", rule, choices)

    def from_unit(self, u: float) -> Any:
        """Returns the choice that owns quantile ``u`` in [0, 1]."""
        return self.choices[min(int(u * len(self.choices)), len(self.choices) - 1)]

    def to_unit(self, value: Any, jitter: float = 0.5) -> float:
        """Returns a quantile that the choice owns: its mid-rank, or another share ``jitter``."""
        require(value in self.choices, "Categorical", f"one of {self.choices}", value)
        return (self.choices.index(value) + jitter) / len(self.choices)

    def encode(self, u: Floats) -> Floats:
        """Returns one column for each choice, 1 where it is taken, shape (n, choices)."""
        k = len(self.choices)
        return np.eye(k)[np.minimum((u * k).astype(int), k - 1)]


Distribution = Uniform | LogUniform | Integer | Categorical
