"""Which of some trials are the best: one by one number, the Pareto front by two."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lttune.records.ledger import Trial
from lttune.records.objectives import ObjectiveConfig

FRONT = 3
"""Points of a front that are confirmed, at the most."""


def scored(trials: Sequence[Trial]) -> list[Trial]:
    """Returns the trials whose objective is known: the complete ones."""
    return [trial for trial in trials if trial.state == "complete" and trial.values is not None]


def ranked(trials: Sequence[Trial], target: ObjectiveConfig) -> list[Trial]:
    """Returns the scored trials, the best by the first number before the others; ties in order."""
    return sorted(scored(trials), key=lambda trial: _losses(trial, target)[0])


def front(trials: Sequence[Trial], target: ObjectiveConfig) -> list[Trial]:
    """Returns the scored trials that no other one beats, from the best by the first number on.

    One trial beats another if it is better by one number and no worse by the others. Of trials with
    equal numbers the first stands for all.
    """
    found: list[Trial] = []
    losses = {trial.number: _losses(trial, target) for trial in scored(trials)}
    for trial in sorted(scored(trials), key=lambda t: (losses[t.number], t.number)):
        mine = losses[trial.number]
        # Whoever beats it was sorted before it, and so was whoever equals it.
        if not any(
            all(a <= b for a, b in zip(losses[other.number], mine, strict=True)) for other in found
        ):
            found.append(trial)
    return found


def winners(trials: Sequence[Trial], target: ObjectiveConfig) -> list[Trial]:
    """Returns the trials to confirm: the best one, or up to three of a Pareto front.

    Of a longer front these are its most accurate and its smallest ticket and its knee: the point
    with the largest sum of both gains over the worst of the front, each as a share of the front's
    range, in accuracy and in log density. At either end that sum is 1.
    """
    if len(target.measures) == 1:
        return ranked(trials, target)[:1]
    found = front(trials, target)
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


def _losses(trial: Trial, target: ObjectiveConfig) -> tuple[float, ...]:
    """Returns the objective's numbers, all to be minimized."""
    signs = (1 if direction == "minimize" else -1 for direction in target.directions)
    return tuple(s * v for s, v in zip(signs, trial.values or [], strict=True))
