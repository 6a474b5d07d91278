"""What every objective must do: those of the table and one's own."""

from __future__ import annotations

import copy
import math
from collections.abc import Collection
from typing import Any

from lttune.config import DataConfig, LotteryConfig, ModelConfig, TrainConfig
from lttune.config.own import OWN_FORM, is_own_code
from lttune.data import load
from lttune.errors import unknown
from lttune.records.objectives import OBJECTIVE_MEASURES, ObjectiveConfig, measure
from lttune.records.own import OBJECTIVE, known_part, use_named
from lttune.testing.expected import expect, global_draws_untouched
from lttune.trajectory.checks.made_up import TrunkRows, trajectories_made_up, with_other_tests

OBJECTIVE_LEVELS = (1, 12)
"""Times that the networks of made-up trajectories are pruned."""
TAKEN = {"reused": True, "trained": None, "host": None, "numerics": "others", "cell": "other"}
"""Columns that say where a network came from, with other values."""


def check_objective(name: str, measured: Collection[str] = ()) -> None:
    """Checks everything that is asked of an objective.

    Args:
        name: as ``objective.name``: FILE.py:FUNCTION or PACKAGE.MODULE:FUNCTION, or a measure of
            the table (pareto is two of them).
        measured: names of the measurements of one's own that it reads, without ``measured.``.

    Raises:
        AssertionError: with what it must do and does not.
        ConfigError: if it cannot be imported, raises an error, or gives no number.
    """
    if not is_own_code(name) and name not in OBJECTIVE_MEASURES:
        raise unknown("objective", name, (*OBJECTIVE_MEASURES, OWN_FORM))
    use_named(OBJECTIVE, name)
    for levels in OBJECTIVE_LEVELS:
        for what, rows in _tried(levels, measured).items():
            check_number(name, f"{what}, {levels} levels", rows)
            check_leaves_rows(name, rows)


def check_number(name: str, what: str, rows: TrunkRows) -> None:
    """Checks that a trajectory has one finite number, by what it is and nothing beside.

    Args:
        name: of the objective.
        what: the trajectory is, in words.
        rows: its own.
    """
    with global_draws_untouched(name):
        number = _number(name, rows)
        again = _number(name, rows)
    expect(math.isfinite(number), f"{name} must give a finite number ({what}), got {number}")
    expect(again == number, f"{name} must give a trajectory the same number again ({what})")
    # Sums of other orders may differ in their last bits.
    same = math.isclose(_number(name, rows[::-1]), number, rel_tol=1e-9, abs_tol=1e-12)
    expect(same, f"{name} must give the same number in whatever order rows come ({what})")
    same = all(_number(name, other) == number for other in with_other_tests(rows))
    expect(same, f"{name} must not go by test examples: a search would be fitted to them ({what})")
    same = _number(name, [row | TAKEN for row in rows]) == number
    expect(same, f"{name} must not go by whether a network was trained now or before ({what})")


def check_leaves_rows(name: str, rows: TrunkRows) -> None:
    """Checks that an objective changes nothing of what it looks at."""
    given = copy.deepcopy(rows)
    _raw(name, given)
    expect(given == rows, f"{name} must leave the rows as they were")


def _tried(levels: int, measured: Collection[str]) -> dict[str, TrunkRows]:
    config = LotteryConfig(
        levels=levels,
        data=DataConfig(name="digits"),
        model=ModelConfig(name="lenet-20-10"),
        train=TrainConfig(steps=200, eval_every=20, eval_train=100),
    )
    return trajectories_made_up(config, load("digits"), measured)


def _number(name: str, rows: TrunkRows) -> float:
    return measure(name, rows, 10, ObjectiveConfig())


def _raw(name: str, rows: TrunkRows) -> Any:
    """Returns what the function itself returns, which a study gives a copy."""
    if is_own_code(name):
        return known_part(OBJECTIVE, name).called(rows, 10)
    return OBJECTIVE_MEASURES[name].compute(rows, 10, ObjectiveConfig())
