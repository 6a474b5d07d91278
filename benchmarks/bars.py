"""The figures that lttune promises, and whether a measurement keeps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Bar:
    """What one figure has to reach."""

    sign: Literal[">=", "<="]
    value: float
    meaning: str

    def met(self, figure: float) -> bool:
        """Returns whether a figure reaches the bar."""
        return figure >= self.value if self.sign == ">=" else figure <= self.value


BARS = {
    "trajectory_vs_eager": Bar(
        ">=", 5, "seconds of a trajectory of the plain eager loop / of the sparse engine"
    ),
    "trajectory_vs_dataloader": Bar(
        ">=", 25, "seconds of a trajectory of the DataLoader loop / of the sparse engine"
    ),
    "dense_step_vs_eager": Bar("<=", 0.6, "dense step of the sparse engine / of the eager loop"),
    "step_at_0.036_vs_dense": Bar(
        "<=", 1 / 7, "step of the sparse engine at 3.6 % density / its own dense step"
    ),
    "two_trials_speedup": Bar(
        ">=", 1.85, "throughput of two single-threaded trials at once / of one"
    ),
    "orchestration_overhead": Bar(
        "<=", 0.05, "core seconds of a study's trials / seconds of training - 1"
    ),
}
"""Key of ``latest.json`` -> its bar."""


def figures(
    levels: Sequence[Mapping[str, Any]],
    trajectory: Mapping[str, Any],
    two_trials: Mapping[str, Any],
    orchestration: Mapping[str, Any],
) -> dict[str, float]:
    """Returns the figure of every bar."""
    seconds = trajectory["median_s"]
    [dense] = [level["step_us"] for level in levels if level["density"] == 1]
    [sparse] = [level["step_us"] for level in levels if 0.035 < level["density"] < 0.037]
    return {
        "trajectory_vs_eager": seconds["eager"] / seconds["sparse"],
        "trajectory_vs_dataloader": seconds["dataloader"] / seconds["sparse"],
        "dense_step_vs_eager": dense["sparse"] / dense["eager"],
        "step_at_0.036_vs_dense": sparse["sparse"] / dense["sparse"],
        "two_trials_speedup": two_trials["sparse"]["speedup"],
        "orchestration_overhead": orchestration["overhead"],
    }


def judged(found: Mapping[str, float]) -> dict[str, dict[str, Any]]:
    """Returns each figure's bar and whether it is met."""
    return {
        key: {
            "bar": f"{bar.sign} {bar.value:.4g}",
            "met": bar.met(found[key]),
            "meaning": bar.meaning,
        }
        for key, bar in BARS.items()
    }
