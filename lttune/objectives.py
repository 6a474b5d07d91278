"""Objectives: one finite number for a whole trajectory, for a search to improve.

They read *validation* accuracy at the early-stopping step on a fixed grid of densities, linear in
log density between the levels. Test accuracy is for reports only. A density that a trajectory did
not reach, and a level that diverged, count as chance: a search must see them as bad, never as
missing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Literal, get_args

import numpy as np

from lttune.config import require
from lttune.errors import unknown

ObjectiveName = Literal["accuracy_auc", "accuracy_at", "ticket_density"]

GRID: tuple[float, ...] = tuple(0.8**k for k in range(21))
"""Densities on which trajectories are compared: 1, 0.8, 0.64, ... 0.0115, as the paper prunes."""

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class ObjectiveConfig:
    """What a search improves."""

    name: ObjectiveName = "accuracy_auc"
    """accuracy_auc: mean validation accuracy over log density from 1 to ``density``; accuracy_at:
    validation accuracy at ``density``; ticket_density: smallest density of the grid whose
    validation accuracy is within ``margin`` of the trajectory's own dense network."""
    density: float = 0.1
    """Smallest density that counts for accuracy_auc, or the one of accuracy_at; in (0, 1)."""
    margin: float = 0.002
    """Accuracy that a ticket may lose against its dense network, in [0, 1)."""

    def __post_init__(self) -> None:
        """Raises ``ConfigError`` if a field breaks its rule."""
        if self.name not in get_args(ObjectiveName):
            raise unknown("objective.name", self.name, get_args(ObjectiveName))
        require(0 < self.density < 1, "objective.density", "in (0, 1)", self.density)
        require(0 <= self.margin < 1, "objective.margin", "in [0, 1)", self.margin)

    @property
    def text(self) -> str:
        """What the number is, in words."""
        return {
            "accuracy_auc": "mean validation accuracy over log density from 100 % "
            f"to {self.density:.3g}",
            "accuracy_at": f"validation accuracy at density {self.density:.3g}",
            "ticket_density": "smallest density whose validation accuracy is within "
            f"{self.margin:.3g} of its own dense network",
        }[self.name]

    @property
    def floor(self) -> float:
        """Smallest density that the objective reads."""
        return GRID[-1] if self.name == "ticket_density" else self.density

    @property
    def direction(self) -> Literal["minimize", "maximize"]:
        """Whether the search wants more or less of it."""
        return "minimize" if self.name == "ticket_density" else "maximize"


def at_density(rows: Rows, density: float, column: str) -> float | None:
    """Returns a measure of one replicate's trunk at a density; None outside what was reached.

    Linear in log density between the two nearest levels.
    """
    points = sorted((math.log(row["density"]), row[column]) for row in rows)
    x = math.log(density)
    if not points or x < points[0][0] or x > points[-1][0]:
        return None
    return float(np.interp(x, [p[0] for p in points], [p[1] for p in points]))


def _curve(rows: Rows, densities: Sequence[float], classes: int) -> list[float]:
    chance = 1 / classes
    sound = [
        {"density": row["density"], "y": chance if row["diverged"] else row["val_accuracy"]}
        for row in rows
    ]
    found = [at_density(sound, density, "y") for density in densities]
    return [chance if y is None else y for y in found]


def accuracy_auc(rows: Rows, classes: int, config: ObjectiveConfig) -> float:
    """Returns the mean validation accuracy over log density, from dense to ``config.density``."""
    grid = [d for d in GRID if d > config.density] + [config.density]
    y = _curve(rows, grid, classes)
    x = np.log(grid)
    return float(np.trapezoid(y, x) / (x[-1] - x[0]))


def accuracy_at(rows: Rows, classes: int, config: ObjectiveConfig) -> float:
    """Returns the validation accuracy at ``config.density``."""
    return _curve(rows, [config.density], classes)[0]


def ticket_density(rows: Rows, classes: int, config: ObjectiveConfig) -> float:
    """Returns the smallest density of the grid whose accuracy is within the margin of dense."""
    # Chance would be within the margin of a dense network that is itself at chance.
    sound = [row for row in rows if not row["diverged"]]
    accuracies = {density: at_density(sound, density, "val_accuracy") for density in GRID}
    dense = accuracies[1.0]
    if dense is None:
        return 1.0
    return min(d for d, a in accuracies.items() if a is not None and a >= dense - config.margin)


OBJECTIVES: dict[str, Callable[[Rows, int, ObjectiveConfig], float]] = {
    "accuracy_auc": accuracy_auc,
    "accuracy_at": accuracy_at,
    "ticket_density": ticket_density,
}


def objective(rows: Rows, classes: int, config: ObjectiveConfig) -> float:
    """Returns the objective of a trial's trunk rows, the mean over its replicates."""
    trunk = [row for row in rows if row["branch"] == "trunk"]
    replicates = sorted({row["replicate"] for row in trunk})
    measure = OBJECTIVES[config.name]
    values = [
        measure([row for row in trunk if row["replicate"] == r], classes, config)
        for r in replicates
    ]
    return fmean(values)
