"""A network at an evaluation as measurements of one's own see it: in copies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

import numpy as np
from torch import Tensor, nn

from lttune.config.control import TRUNK
from lttune.data.resident import Examples
from lttune.models import Network
from lttune.models.masks import Mask, Weights, copies
from lttune.training.protocol import Material
from lttune.trajectory.connectivity import loaded
from lttune.trajectory.task import Task

EVALUATED = ("branch", "level", "density", "step", "val_loss", "val_accuracy")
"""Names that every evaluation has already."""
TESTED = ("test_loss", "test_accuracy")
"""Those that it has as well if ``train.eval_test``."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ObservedNetwork:
    """A network at an evaluation, in copies."""

    branch: str
    """trunk, or the name of a control; of one's own its function's, wherever its file is."""
    level: int
    weights: Weights
    """By name, with running moments, on the CPU."""
    mask: Mask
    """By the names of the weights that can be pruned; True where one survives."""
    _network: Network = field(repr=False)
    _validation: Examples = field(repr=False)

    def module(self) -> nn.Module:
        """Returns a new module with these weights, to be evaluated: names and layers are its own.

        It can be made while the measurement lasts.
        """
        return loaded(self._network, self.weights, "cpu")

    def examples(self) -> tuple[Tensor, Tensor]:
        """Returns the validation pictures as ``module`` takes them (float32), and their classes."""
        inputs, labels = self._validation.slice(0, len(self._validation))
        return inputs.cpu(), labels.to("cpu", copy=True)


MeasureFunction = Callable[[int, ObservedNetwork], Mapping[str, float] | float]
"""Step, network -> names and numbers, or a number."""


def observed(task: Task, material: Material, weights: Weights) -> ObservedNetwork:
    """Returns a network in training at an evaluation.

    Args:
        task: what is trained.
        material: its examples.
        weights: at the evaluation; copied.
    """
    return ObservedNetwork(
        branch=task.identity.get("branch", TRUNK),
        level=task.level,
        weights=copies(weights),
        mask=copies(task.ticket.mask),
        _network=task.network,
        _validation=material.validation,
    )


def as_number(value: Any) -> float | None:
    """Returns a real number, or a tensor or array of one, as Python's; None of all else."""
    try:
        if isinstance(value, Tensor):
            value = value.detach().item() if value.numel() == 1 else None
        elif isinstance(value, np.ndarray | np.generic):
            value = value.item() if value.size == 1 else None
        return float(value) if isinstance(value, Real) else None
    except (OverflowError, RuntimeError):  # A whole number beyond floats; a tensor without values.
        return None
