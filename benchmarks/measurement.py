"""Interleaved repetitions of all loops, then medians and ratios."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np

from benchmarks.loops import LoopName
from benchmarks.trajectory import EVAL_EVERY, LEVELS, Loop, Walked, Workload, walk
from lttune.models.masks import density

SHOWN = (0, 3, 7, 12, 15, 20)
"""Levels whose times are shown: densities 1, 0.51, 0.21, 0.07, 0.036 and 0.012."""
WHOLE: tuple[LoopName, ...] = ("sparse", "torch", "eager")
"""Loops that walk whole trajectories; one of the other takes minutes."""

Pair = tuple[float, float]
Times = dict[LoopName, dict[int, list[Pair]]]
"""Loop -> level -> microseconds of a step, and of an evaluation divided by the steps between two;
one pair a repetition."""
Walls = dict[LoopName, list[Pair]]
"""Loop -> seconds of a trajectory, and those of pruning and rewinding; one pair a repetition."""


def rounds(repetitions: int) -> list[list[LoopName]]:
    """Returns which loop runs when.

    The fast loop runs once beside each other loop; each round begins with another one, so that what
    slows the machine for a while slows all of them.
    """
    others: list[LoopName] = ["torch", "eager", "dataloader"]
    found: list[list[LoopName]] = []
    for repetition in range(repetitions):
        first = repetition % len(others)
        turned = others[first:] + others[:first]
        found.append([name for other in turned for name in ("sparse", other)])
    return found


def measure(
    loops: Mapping[LoopName, Loop], workload: Workload, steps: int, repetitions: int
) -> tuple[Walked, Times, Walls]:
    """Returns a first trajectory, which is not counted, and the times of the repetitions.

    The DataLoader loop trains the shown levels of the first trajectory only.
    """
    first = walk(loops["sparse"], workload, steps)
    for name in loops.keys() - {"sparse"}:
        loops[name].level(first.tickets[0], workload.part(0, 1), 1)
    times: Times = {name: {} for name in loops}
    walls: Walls = {name: [] for name in WHOLE}
    for names in rounds(repetitions):
        for name in names:
            if name in WHOLE:
                walked = walk(loops[name], workload, steps)
                walls[name].append((walked.wall_s, walked.between_s))
                timed = dict(enumerate(walked.levels))
            else:
                timed = {
                    level: loops[name].level(
                        first.tickets[level], workload.part(level, steps), steps
                    )
                    for level in SHOWN
                }
            for level, each in timed.items():
                pair = 1e6 * each.steps_s / steps, 1e6 * each.evaluation_s / EVAL_EVERY
                times[name].setdefault(level, []).append(pair)
    return first, times, walls


def medians(pairs: Sequence[Pair]) -> Pair:
    """Returns the median of the first numbers and that of the second."""
    return median(first for first, _ in pairs), median(second for _, second in pairs)


def training_s(times: Mapping[int, Sequence[Pair]], steps: int) -> float:
    """Returns the seconds that the levels of a trajectory train, by the medians of each level.

    Between levels that were not measured it is interpolated: the DataLoader loop's cost does not
    depend on the density.
    """
    evaluations = 1 + math.ceil(steps / EVAL_EVERY)
    measured = {level: medians(pairs) for level, pairs in times.items()}
    seconds = [
        (step * steps + evaluation * EVAL_EVERY * evaluations) / 1e6
        for step, evaluation in measured.values()
    ]
    return float(np.interp(range(LEVELS), list(measured), seconds).sum())


def trajectory_summary(times: Times, walls: Walls, steps: int) -> dict[str, Any]:
    """Returns the seconds of a trajectory, and those of pruning and rewinding, of each loop."""
    seconds = {name: medians(pairs)[0] for name, pairs in walls.items()}
    between = {name: medians(pairs)[1] for name, pairs in walls.items()}
    # Pruning and rewinding is the same code in all loops.
    seconds["dataloader"] = training_s(times["dataloader"], steps) + between["eager"]
    return {
        "meaning": f"{LEVELS} levels of {steps} steps; the dataloader's from its shown levels",
        "median_s": seconds,
        "between_levels_s": between,
        "repetitions_s": {name: [wall for wall, _ in pairs] for name, pairs in walls.items()},
    }


def level_summary(
    times: Times, first: Walked, flops: Sequence[int], product_gflop_s: float
) -> list[dict[str, Any]]:
    """Returns what each shown level costs; ``flops`` are useful operations of a step by level."""
    found: list[dict[str, Any]] = []
    for level in SHOWN:
        each = {name: medians(levels[level]) for name, levels in times.items()}
        useful = flops[level] / each["sparse"][0] / 1e3
        found.append(
            {
                "level": level,
                "density": density(first.tickets[level].mask),
                "step_us": {name: step for name, (step, _) in each.items()},
                "step_with_evaluation_us": {name: sum(pair) for name, pair in each.items()},
                "useful_gflop_s": useful,
                "roofline": useful / product_gflop_s,
                "repetitions_us": {
                    name: {
                        "step": [step for step, _ in levels[level]],
                        "evaluation_share": [share for _, share in levels[level]],
                    }
                    for name, levels in times.items()
                },
            }
        )
    return found
