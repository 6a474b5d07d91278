"""Criteria: how a weight is scored; the lowest scores are pruned first."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

Criterion = Callable[[Mapping[str, Tensor]], dict[str, Tensor]]


def magnitude(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """|w| at the end of training: Han et al. (2015); Frankle & Carbin (2019), section 2."""
    return {name: weight.abs() for name, weight in weights.items()}


CRITERIA: dict[str, Criterion] = {"magnitude": magnitude}
