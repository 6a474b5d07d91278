"""Measurements of a function of a notebook at every evaluation: they see copies, change nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch

from lttune.config.fields import require
from lttune.errors import ConfigError, legible, quoted
from lttune.models.masks import Weights
from lttune.store.store import cell_key
from lttune.training.protocol import Material
from lttune.trajectory.measurements.observed import (
    EVALUATED,
    TESTED,
    MeasureFunction,
    as_number,
    observed,
)
from lttune.trajectory.measurements.settings import settings_kept
from lttune.trajectory.task import Task


class Observations:
    """What a function measured, by the cells of the networks.

    Args:
        measure: the function.
    """

    def __init__(self, measure: MeasureFunction) -> None:
        self._measure = measure
        self._found: dict[str, dict[int, dict[str, float]]] = {}

    def of(self, key: str) -> Mapping[int, Mapping[str, float]]:
        """Returns the measurements of a cell by step."""
        return self._found.get(key, {})

    def observer(self, task: Task, material: Material) -> Callable[[int, Weights], None] | None:
        """Returns what a training calls at its evaluations; None where none of it is shown."""
        if "pretraining" in task.identity:
            return None
        key = cell_key(task.identity)

        def observe(step: int, weights: Weights) -> None:
            with settings_kept(), torch.enable_grad():
                values: Any = self._measure(step, observed(task, material, weights))
            if (alone := as_number(values)) is not None:
                values = {getattr(self._measure, "__name__", "measured"): alone}
            self._found.setdefault(key, {})[step] = _named_numbers(values)

        return observe


def _named_numbers(values: Any) -> dict[str, float]:
    """Returns the numbers that a measurement gave, refused if they are none."""
    rule = "a number, or a mapping of names to numbers"
    require(isinstance(values, Mapping), "what measure returns", rule, values)
    taken = (*EVALUATED, *TESTED)
    found: dict[str, float] = {}
    for name, value in values.items():
        rule = f"under names other than {', '.join(taken)}"
        require(isinstance(name, str) and name not in taken, "what measure returns", rule, name)
        number = as_number(value)
        if number is None or math.isinf(number):
            rule = "finite numbers, or NaN where one is not known"
            text = f"what measure returns must be {rule}, got {legible(quoted(dict(values)))}"
            raise ConfigError(text)
        found[name] = number
    return found
