"""Measurements of one's own of a whole study: functions that see every evaluation.

What they return stands in the history of the cell, whose key holds the digest of their code: cells
of equal keys have equal bytes, and what was measured is sealed with what it was measured of.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from lttune.config.seeding import stream
from lttune.errors import legible, listed, quoted
from lttune.models.masks import Weights
from lttune.models.own.draws import seeded
from lttune.records.own import OwnPart, known_part, own_identity
from lttune.training.protocol import Material
from lttune.trajectory.measurements.observed import (
    EVALUATED,
    TESTED,
    ObservedNetwork,
    as_number,
    observed,
)
from lttune.trajectory.measurements.settings import settings_kept
from lttune.trajectory.task import Task

MEASURE = "train.measure"
"""The setting that names functions which measure."""
MOST_MEASURED = 24
"""Numbers of an evaluation. With one metric of each for every control, what MLflow takes in one
call is enough for a level."""
_NAME = re.compile("[A-Za-z0-9_]{1,64}")


class OwnMeasures:
    """Calls functions of one's own at the evaluations of one training.

    Args:
        names: of the functions, as ``train.measure`` has them.
        seen: returns the network with some weights, each time in copies of its own.
        draws: step -> where PyTorch's generator begins, from 0 to 2^63 - 1.
    """

    def __init__(
        self,
        names: Sequence[str],
        seen: Callable[[Weights], ObservedNetwork],
        draws: Callable[[int], int],
    ) -> None:
        self._names, self._seen, self._draws = names, seen, draws
        self._first: dict[str, list[str]] = {}

    def __call__(self, step: int, weights: Weights) -> dict[str, float | None]:
        """Returns the numbers of an evaluation by name, in sorted order; None of what is NaN.

        Raises:
            ConfigError: if a function raises an error, or gives something else than numbers under
                names of its own, the same at each evaluation of a training.
            StorageError: if its code is not here.
        """
        found: dict[str, float | None] = {}
        for name in self._names:
            part, seen, seed = known_part(MEASURE, name), self._seen(weights), self._draws(step)
            where = f"at step {step} of level {seen.level} ({seen.branch})"
            with seeded(seed), settings_kept(), torch.enable_grad():
                values = part.called(step, seen)
            mine = _numbers(part, values, where)
            first = self._first.setdefault(name, sorted(mine))
            if sorted(mine) != first:
                told = f"{listed(first) or 'none'}, got {listed(sorted(mine)) or 'none'} {where}"
                part.refuse(f"must give the same names at each evaluation of a training: {told}")
            if twice := sorted(found.keys() & mine.keys()):
                part.refuse(f"must give names of its own, got another function's {listed(twice)}")
            found |= mine
            if len(found) > MOST_MEASURED:
                part.refuse(f"must give at most {MOST_MEASURED} numbers, together with the others")
        return dict(sorted(found.items()))


def own_measures(task: Task, material: Material, seed: int) -> OwnMeasures | None:
    """Returns what a training calls at its evaluations; None where nothing is measured.

    Args:
        task: what is trained.
        material: its examples.
        seed: root of the random streams.
    """
    if not task.train.measure:
        return None

    def draws(step: int) -> int:
        rng = stream(seed, task.replicate, f"measure-{task.level}", step)
        return int(rng.integers(2**63))

    return OwnMeasures(task.train.measure, lambda weights: observed(task, material, weights), draws)


def measures_identity(names: Sequence[str]) -> dict[str, Any]:
    """Returns what of measurements is in the identity of a training: nothing where there is none.

    Their order changes nothing of what is kept.
    """
    found = [own_identity(MEASURE, name) for name in names]
    ordered = sorted(found, key=lambda one: sorted(one.items()))
    return {"measure": ordered} if ordered else {}


def _numbers(part: OwnPart, values: Any, where: str) -> dict[str, float | None]:
    """Returns the numbers that a function gave, refused if they are none."""
    if (alone := as_number(values)) is not None:
        values = {part.name.rpartition(":")[2]: alone}
    if not isinstance(values, Mapping):
        rule = "must return a number, or numbers by their names"
        part.refuse(f"{rule}, got {legible(quoted(values))} {where}")
    found: dict[str, float | None] = {}
    for name, value in values.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            rule = "must use names of 1 to 64 letters, digits and '_'"
            part.refuse(f"{rule}, got {legible(quoted(name))} {where}")
        if name in (*EVALUATED, *TESTED):
            part.refuse(f"must use other names than every evaluation has, got {name!r} {where}")
        number = as_number(value)
        if number is None or math.isinf(number):
            rule = f"must give {name} as a finite number, or NaN where it is not known"
            part.refuse(f"{rule}, got {legible(quoted(value))} {where}")
        found[name] = None if math.isnan(number) else number
    return found
