"""Interleaved repetitions, medians and ratios."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Any

from benchmarks.baselines import Loop

OURS = "lttune"
Seconds = dict[str, dict[str, list[float]]]
"""Loop -> with_evaluation or without_evaluation -> seconds of each repetition."""


def measure(loops: Mapping[str, Loop], *, steps: int, eval_every: int, repetitions: int) -> Seconds:
    """Returns the seconds of every loop, with and without evaluations.

    Each repetition runs every loop once in either way, and begins with another loop than the one
    before, so that what slows the machine for a while slows all of them. A first, short round is
    not counted.
    """
    modes = {"without_evaluation": None, "with_evaluation": eval_every}
    for loop in loops.values():
        loop(eval_every, eval_every)
    seconds: Seconds = {name: {mode: [] for mode in modes} for name in loops}
    names = list(loops)
    for repetition in range(repetitions):
        first = repetition % len(names)
        for mode, cadence in modes.items():
            for name in names[first:] + names[:first]:
                seconds[name][mode].append(loops[name](steps, cadence))
    return seconds


def summary(seconds: Seconds, steps: int) -> dict[str, Any]:
    """Returns medians and repetitions in microseconds per step, and ours over each other loop."""
    each = {
        name: {mode: [1e6 * s / steps for s in values] for mode, values in modes.items()}
        for name, modes in seconds.items()
    }
    medians = {
        name: {mode: median(values) for mode, values in modes.items()}
        for name, modes in each.items()
    }
    result: dict[str, Any] = {}
    for name in medians.keys() - {OURS}:
        result[f"level_vs_{name}"] = {
            "meaning": f"median time of {OURS} / median time of {name}; smaller is better",
            **{mode: medians[OURS][mode] / medians[name][mode] for mode in medians[name]},
        }
    result = dict(sorted(result.items()))
    result["median_us_per_step"] = medians
    result["repetitions_us_per_step"] = each
    return result
