"""What a study file declares."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from optuna.distributions import BaseDistribution

from lttune.config import require
from lttune.config.design import Factor, Point
from lttune.study.phase import PHASES, SEARCHING, Phase
from lttune.study.settings import StudyConfig

Space = Mapping[str, BaseDistribution]
"""Dotted hyperparameter -> Optuna distribution."""


@dataclass(frozen=True, kw_only=True)
class Study:
    """What a study file declares."""

    question: str
    """One sentence, with a question mark."""
    source: str
    """The figure or section of the paper that the question comes from."""
    scales: Mapping[str, StudyConfig]
    """The settings of smoke, quick and paper."""
    space: Space
    """Dotted hyperparameter -> Optuna distribution: what the search varies."""
    file: Path
    """The study file itself, kept with the results."""
    factors: Sequence[Factor] = ()
    """What a space-filling design varies, the measure that importances refer to."""
    points: Mapping[str, Mapping[Phase, Sequence[Point]]] = field(default_factory=dict)
    """Scale -> phase (sweep, design, tune) -> its points, each trained once a replicate."""
    compared: str | None = None
    """Dotted path whose values phase tune makes ready for a fair comparison, each value with
    hyperparameters of its own (``lttune.config.design.fair_comparison``)."""
    prepare: Callable[[Path, int], None] | None = None
    """Called with the study's folder and its number of replicates before anything is trained, at
    every run: it fixes what must be fixed before results are seen, such as the claims."""

    def points_of(self, config: StudyConfig) -> dict[Phase, list[Point]]:
        """Returns the points of the phases that are run.

        Raises:
            ConfigError: if a phase is asked for and the study declares nothing for it.
        """
        declared = self.points.get(config.scale, {})
        for phase in config.phases:
            needed = self.space if phase in SEARCHING else phase in declared
            if phase == "confirm":
                needed = self.space or "tune" in declared
            ok = phase == "anchor" or bool(needed)
            rule = f"without {phase!r}: the study declares none at scale {config.scale!r}"
            require(ok, "phases", rule, config.phases)
        return {
            phase: list(declared[phase])
            for phase in PHASES
            if phase in config.phases and phase in declared
        }

    def space_of(self, config: StudyConfig) -> Space:
        """Returns the space if one of the phases that are run comes to its points, else none."""
        return {} if set(SEARCHING).isdisjoint(config.phases) else self.space


def describe_space(space: Space) -> dict[str, dict[str, Any]]:
    """Returns the space as plain values: kind, low, high, log, step or choices."""
    described: dict[str, dict[str, Any]] = {}
    for path, distribution in space.items():
        attributes = dict(distribution._asdict())
        if "choices" in attributes:
            attributes["choices"] = list(attributes["choices"])  # As JSON gives them back.
        kind = type(distribution).__name__.removesuffix("Distribution").lower()
        described[path] = {"kind": kind, **attributes}
    return described
