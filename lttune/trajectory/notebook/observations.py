"""Measurements of one's own at every evaluation: they see copies, and change nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from lttune.config.fields import require
from lttune.errors import ConfigError, legible, quoted
from lttune.models import Network
from lttune.models.masks import Mask, Weights
from lttune.store.store import cell_key
from lttune.training.protocol import Material
from lttune.trajectory.connectivity import loaded
from lttune.trajectory.notebook.surroundings import settings_kept
from lttune.trajectory.task import Task

EVALUATED = ("branch", "level", "density", "step", "val_loss", "val_accuracy")
"""Names that every evaluation has already."""
TESTED = ("test_loss", "test_accuracy")
"""Those that it has as well if ``train.eval_test``."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ObservedNetwork:
    """A network at an evaluation, in copies."""

    branch: str
    """trunk, or the name of a control."""
    level: int
    weights: Weights
    """By name, with running moments, on the CPU."""
    mask: Mask
    """By the names of the weights that can be pruned; True where one survives."""
    _network: Network = field(repr=False)
    _material: Material = field(repr=False)

    def module(self) -> nn.Module:
        """Returns a new module with these weights, to be evaluated: names and layers are its own.

        It can be made while the measurement lasts.
        """
        return loaded(self._network, self.weights, "cpu")

    def examples(self) -> tuple[Tensor, Tensor]:
        """Returns the validation pictures as ``module`` takes them (float32), and their classes."""
        validation = self._material.validation
        inputs, labels = validation.slice(0, len(validation))
        return inputs.cpu(), labels.to("cpu", copy=True)


MeasureFunction = Callable[[int, ObservedNetwork], Mapping[str, float]]
"""Step, network -> names and numbers."""


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
            seen = ObservedNetwork(
                branch=task.branch,
                level=task.level,
                weights=weights,
                mask={name: keep.clone() for name, keep in task.ticket.mask.items()},
                _network=task.network,
                _material=material,
            )
            with settings_kept(), torch.enable_grad():
                values = self._measure(step, seen)
            self._found.setdefault(key, {})[step] = _numbers(values)

        return observe


def _numbers(values: Any) -> dict[str, float]:
    """Returns the numbers that a measurement gave, refused if they are none."""
    rule = "a mapping of names to numbers"
    require(isinstance(values, Mapping), "what measure returns", rule, values)
    taken = (*EVALUATED, *TESTED)
    for name in values:
        rule = f"under names other than {', '.join(taken)}"
        require(isinstance(name, str) and name not in taken, "what measure returns", rule, name)
    try:
        return {
            name: float(value.detach() if isinstance(value, Tensor) else value)
            for name, value in values.items()
        }
    except (TypeError, ValueError, RuntimeError) as error:
        text = f"what measure returns must be numbers, got {legible(quoted(dict(values)))}"
        raise ConfigError(text) from error
