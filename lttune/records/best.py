"""Which of some trials are the best: one by one number, the Pareto front by two."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lttune.records.ledger import Trial
from lttune.records.objectives import Direction, ObjectiveConfig

FRONT = 3
"""Points of a front that are confirmed, at the most."""


def scored(trials: Sequence[Trial]) -> list[Trial]:
    """Returns the trials whose objective is known: the complete ones."""
    return [trial for trial in trials if trial.state == "complete" and trial.values is not None]


def ranked(trials: Sequence[Trial], objective: ObjectiveConfig) -> list[Trial]:
    """Returns the scored trials, the best by the first number before the others; ties in order."""
    return sorted(
        scored(trials), key=lambda trial: _losses(trial.values or [], objective.directions)[0]
    )


def non_dominated(values: Sequence[Sequence[float]], directions: Sequence[Direction]) -> list[int]:
    """Returns the places, rising, of the points of a Pareto front: those that no other one beats.

    One point beats another if it is better by one number and no worse by the others. Of points with
    equal numbers the first stands for all.

    Args:
        values: the numbers of each point, finite, as many as there are directions.
        directions: whether more or less of each number is better.
    """
    found: list[int] = []
    losses = [_losses(numbers, directions) for numbers in values]
    for place in sorted(range(len(losses)), key=lambda i: (losses[i], i)):
        # Whoever beats it was sorted before it, and so was whoever equals it.
        if not any(
            all(a <= b for a, b in zip(losses[other], losses[place], strict=True))
            for other in found
        ):
            found.append(place)
    return sorted(found)


def front(trials: Sequence[Trial], objective: ObjectiveConfig) -> list[Trial]:
    """Returns the scored trials that no other one beats, from the best by the first number on.

    Of trials with equal numbers the first stands for all.
    """
    known = scored(trials)
    places = non_dominated([trial.values or [] for trial in known], objective.directions)
    return ranked([known[place] for place in places], objective)


def winners(trials: Sequence[Trial], objective: ObjectiveConfig) -> list[Trial]:
    """Returns the trials to confirm: the best one, or up to three of a Pareto front.

    Of a longer front these are its most accurate and its smallest ticket and its knee: the point
    with the largest sum of both gains over the worst of the front, each as a share of the front's
    range, in accuracy and in log density. At either end that sum is 1.
    """
    if len(objective.measures) == 1:
        return ranked(trials, objective)[:1]
    found = front(trials, objective)
    if len(found) <= FRONT:
        return found
    first, last = found[0], found[-1]
    between = max(found[1:-1], key=lambda trial: _gain(trial, first, last))
    return [first, between, last]


def _gain(trial: Trial, accurate: Trial, small: Trial) -> float:
    """Returns the two gains of a point of a front between its ends, as shares of its range."""
    (a, x), (high, right), (low, left) = (
        (values[0], math.log(values[1]))
        for values in (trial.values or [], accurate.values or [], small.values or [])
    )
    return (a - low) / (high - low) + (right - x) / (right - left)


def _losses(values: Sequence[float], directions: Sequence[Direction]) -> tuple[float, ...]:
    """Returns numbers of which more or less is better as numbers of which less is."""
    signs = (1 if direction == "minimize" else -1 for direction in directions)
    return tuple(sign * value for sign, value in zip(signs, values, strict=True))
