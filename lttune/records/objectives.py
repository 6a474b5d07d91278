"""Objectives: finite numbers for a whole trajectory, one or two, for a search to improve.

They read *validation* accuracy at the early-stopping step on a fixed grid of densities, linear in
log density between the levels. Test accuracy is for reports only. A density that a trajectory did
not reach, and a level that diverged, count as chance: a search must see them as bad, never as
missing. A function of one's own may stand in their place (``lttune.records.own``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Literal, get_args

import numpy as np

from lttune.config.control import TRUNK
from lttune.config.fields import is_number
from lttune.config.own import is_own_code, require_row_or_own
from lttune.config.rules import Rules, every_rule
from lttune.errors import quoted
from lttune.records.interpolation import interpolated
from lttune.records.own import OBJECTIVE, own_objective, own_objective_text

ObjectiveName = Literal["accuracy_auc", "accuracy_at", "ticket_density", "pareto"]
Direction = Literal["minimize", "maximize"]

DENSITY_GRID: tuple[float, ...] = tuple(0.8**k for k in range(21))
"""Densities on which trajectories are compared: 1, 0.8, 0.64, ... 0.0115, as the paper prunes."""

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One number for a trajectory."""

    compute: Callable[[Rows, int, ObjectiveConfig], float]
    """From the rows of one replicate's trunk and the number of classes."""
    direction: Direction
    """Whether a search wants more or less of it."""
    text: str
    """What it is, in words; ``{density}`` and ``{margin}`` are the objective's."""


@dataclass(frozen=True, kw_only=True)
class ObjectiveConfig:
    """What a search improves."""

    name: ObjectiveName | str = "accuracy_auc"
    """accuracy_auc: mean validation accuracy over log density from 1 to ``density``; accuracy_at:
    validation accuracy at ``density``; ticket_density: smallest density of the grid whose
    validation accuracy is within ``margin`` of the trajectory's own dense network; pareto: the
    validation accuracy at that density, and that density, both at once. Your own:
    ./FILE.py:FUNCTION or PACKAGE.MODULE:FUNCTION, a function of the records of one replicate's
    levels and the number of classes that returns a number (docs/your-own-parts.md)."""
    direction: Direction | None = None
    """Whether more or less of your own is better: maximize or minimize. None of the others, which
    know theirs."""
    density: float = 0.1
    """Smallest density that counts for accuracy_auc, or the one of accuracy_at; in (0, 1). With
    your own, the one to which trajectories of a search go."""
    margin: float = 0.002
    """Accuracy that a ticket may lose against its dense network, in [0, 1)."""

    def __post_init__(self) -> None:
        """Raises ``ConfigError`` if a field breaks its rule."""
        with every_rule() as rules:
            rules.kinds(self, "objective.")
            require_row_or_own(rules, OBJECTIVE, self.name, ObjectiveName)
            self._check_direction(rules)
            ok = is_number(self.density) and 0 < self.density < 1
            rules.require(ok, "objective.density", "in (0, 1)", self.density)
            ok = is_number(self.margin) and 0 <= self.margin < 1
            rules.require(ok, "objective.margin", "in [0, 1)", self.margin)

    def _check_direction(self, rules: Rules) -> None:
        """Notes a direction that is missing, or that nobody reads."""
        if self.is_own:
            ok = self.direction in get_args(Direction)
            rule = f"maximize or minimize with an objective of your own ({self.name})"
        else:
            ok = self.direction is None
            rule = f"None with the objective {quoted(self.name)}, which knows its own"
        rules.require(ok, "objective.direction", rule, self.direction, (OBJECTIVE,))

    @property
    def is_own(self) -> bool:
        """Whether it is a function of one's own."""
        return is_own_code(self.name)

    @property
    def measures(self) -> tuple[str, ...]:
        """Names of what it is made of: two of pareto, else its own.

        They are of ``OBJECTIVE_MEASURES``, unless it is a function of one's own.
        """
        return ("ticket_accuracy", "ticket_density") if self.name == "pareto" else (self.name,)

    @property
    def texts(self) -> tuple[str, ...]:
        """What each number is, in words."""
        if self.is_own:
            return (own_objective_text(self.name),)
        values = {"density": f"{self.density:.3g}", "margin": f"{self.margin:.3g}"}
        return tuple(OBJECTIVE_MEASURES[name].text.format(**values) for name in self.measures)

    @property
    def text(self) -> str:
        """What the numbers are, in words."""
        return "; ".join(self.texts)

    @property
    def floor(self) -> float:
        """Smallest density that the objective reads, to which trajectories of a search go."""
        return DENSITY_GRID[-1] if "ticket_density" in self.measures else self.density

    @property
    def directions(self) -> tuple[Direction, ...]:
        """Whether the search wants more or less of each number."""
        if self.direction is not None:
            return (self.direction,)
        return tuple(OBJECTIVE_MEASURES[name].direction for name in self.measures)


def objective_text(value: float) -> str:
    """Returns an objective's number as people read it: in four decimals, else in four digits."""
    has_decimals = value == 0 or 1e-3 <= abs(value) < 1e5
    return f"{value:.4f}" if has_decimals else f"{value:.4g}"


def depth(density: float) -> float:
    """Returns how many levels of the paper's pruning (a fifth each) lead to a density in (0, 1]."""
    return math.log(density) / math.log(0.8)


def density_at(depth: float) -> float:
    """Returns the density, in (0, 1], that a depth of at least 0 stands for."""
    return 0.8**depth


def at_density(rows: Rows, density: float, column: str) -> float | None:
    """Returns a measure of one replicate's trunk at a density; None outside what was reached.

    Linear in log density between the two nearest levels.
    """
    return _at(rows, [density], column)[0]


def _at(rows: Rows, densities: Sequence[float], column: str) -> list[float | None]:
    reached, values = [row["density"] for row in rows], [row[column] for row in rows]
    found = interpolated(reached, values, densities)
    return [None if math.isnan(y) else float(y) for y in found]


def _curve(rows: Rows, densities: Sequence[float], classes: int) -> list[float]:
    chance = 1 / classes
    sound = [
        {"density": row["density"], "y": chance if row["diverged"] else row["val_accuracy"]}
        for row in rows
    ]
    return [chance if y is None else y for y in _at(sound, densities, "y")]


def accuracy_auc(rows: Rows, classes: int, config: ObjectiveConfig) -> float:
    """Returns the mean validation accuracy over log density, from dense to ``config.density``."""
    grid = [d for d in DENSITY_GRID if d > config.density] + [config.density]
    y = _curve(rows, grid, classes)
    x = np.log(grid)
    return float(np.trapezoid(y, x) / (x[-1] - x[0]))


def accuracy_at(rows: Rows, classes: int, config: ObjectiveConfig) -> float:
    """Returns the validation accuracy at ``config.density``."""
    return _curve(rows, [config.density], classes)[0]


def ticket_density(rows: Rows, classes: int, config: ObjectiveConfig) -> float:
    """Returns the smallest density of the grid whose accuracy is within the margin of dense."""
    return _ticket(rows, classes, config)[1]


def ticket_accuracy(rows: Rows, classes: int, config: ObjectiveConfig) -> float:
    """Returns the validation accuracy at ``ticket_density``; chance if the dense one diverged."""
    return _ticket(rows, classes, config)[0]


def _ticket(rows: Rows, classes: int, config: ObjectiveConfig) -> tuple[float, float]:
    # Chance would be within the margin of a dense network that is itself at chance.
    sound = [row for row in rows if not row["diverged"]]
    accuracies = dict(zip(DENSITY_GRID, _at(sound, DENSITY_GRID, "val_accuracy"), strict=True))
    dense = accuracies[1.0]
    if dense is None:
        return 1 / classes, 1.0
    within = {d: a for d, a in accuracies.items() if a is not None and a >= dense - config.margin}
    smallest = min(within)
    return within[smallest], smallest


OBJECTIVE_MEASURES: dict[str, Measure] = {
    "accuracy_auc": Measure(
        compute=accuracy_auc,
        direction="maximize",
        text="mean validation accuracy over log density from 100 % to {density}",
    ),
    "accuracy_at": Measure(
        compute=accuracy_at,
        direction="maximize",
        text="validation accuracy at density {density}",
    ),
    "ticket_density": Measure(
        compute=ticket_density,
        direction="minimize",
        text="smallest density whose validation accuracy is within {margin} of its own dense "
        "network",
    ),
    "ticket_accuracy": Measure(
        compute=ticket_accuracy,
        direction="maximize",
        text="validation accuracy at the smallest density that is within {margin} of the dense "
        "network",
    ),
}
"""Name -> measure: the objectives of one number, and what pareto is made of."""


def measure(name: str, rows: Rows, classes: int, config: ObjectiveConfig) -> float:
    """Returns a measure of a trial's trunk rows, the mean over its replicates.

    Raises:
        ConfigError: if it is a function of one's own, and fails.
        StorageError: if its code is not here.
    """
    trunk = [row for row in rows if row["branch"] == TRUNK]
    replicates = sorted({row["replicate"] for row in trunk})
    each = [[row for row in trunk if row["replicate"] == r] for r in replicates]
    if is_own_code(name):
        return fmean(own_objective(name, mine, classes) for mine in each)
    compute = OBJECTIVE_MEASURES[name].compute
    return fmean(compute(mine, classes, config) for mine in each)


def objectives(rows: Rows, classes: int, config: ObjectiveConfig) -> list[float]:
    """Returns the objective's numbers of a trial's trunk rows, means over its replicates.

    Raises:
        ConfigError: as ``measure``.
        StorageError: likewise.
    """
    return [measure(name, rows, classes, config) for name in config.measures]
