"""What a study file declares."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from lttune.config.design import INERT, Factor, Point
from lttune.config.design.repeats import repeated, replicate_counts
from lttune.config.phase import PHASES, Phase, PhaseName, phase_names, phase_of
from lttune.config.rules import every_rule
from lttune.study.declared.kinds import require_declared
from lttune.study.settings import StudyConfig

if TYPE_CHECKING:
    # A worker imports this package and needs no Optuna, which takes long to import.
    from optuna.distributions import BaseDistribution

Space: TypeAlias = "Mapping[str, BaseDistribution]"
"""Dotted hyperparameter -> Optuna distribution."""


@dataclass(frozen=True, kw_only=True)
class Study:
    """What a study file declares."""

    question: str
    """One sentence, with a question mark."""
    source: str
    """The figure or section of the paper that the question comes from."""
    scales: Mapping[str, StudyConfig]
    """Scale -> its settings: one or more, under any names."""
    space: Space
    """Dotted hyperparameter -> Optuna distribution: what the search varies."""
    file: Path | None = None
    """The study file itself, kept with the results; None of a study that a notebook declares."""
    factors: Sequence[Factor] = ()
    """What a space-filling design varies, the measure that importances refer to."""
    points: Mapping[str, Mapping[PhaseName, Sequence[Point]]] = field(default_factory=dict)
    """Scale -> phase whose points are declared -> its points, each trained once a replicate."""
    compared: str | None = None
    """Dotted path whose values phase tune makes ready for a fair comparison, each value with
    hyperparameters of its own (``lttune.config.design.fair_comparison``)."""
    prepare: Callable[[Path, int], None] | None = None
    """Called with the study's folder and its number of replicates before anything is trained, at
    every run of a study that may have something to do: it fixes what must be fixed before results
    are seen, such as the claims."""

    def __post_init__(self) -> None:
        """Raises ``ConfigError`` if a field is of another kind, or a path names no field."""
        require_declared(self)

    @property
    def script(self) -> str:
        """The study file as its command names it from here; empty if there is none.

        One that lies elsewhere is named with its folder alone.
        """
        if self.file is None:
            return ""
        with contextlib.suppress(FileNotFoundError, ValueError):  # Here is gone, or elsewhere.
            return str(self.file.resolve().relative_to(Path.cwd().resolve()))
        return f"{self.file.parent.name}/{self.file.name}"

    @property
    def usual_scale(self) -> str:
        """The scale that is run where none is asked for: quick, or else the first."""
        return "quick" if "quick" in self.scales else next(iter(self.scales))

    def settings_of(self, scale: str) -> StudyConfig:
        """Returns the settings of one of the scales, whatever they call it themselves."""
        return dataclasses.replace(self.scales[scale], scale=scale)

    def points_of(self, config: StudyConfig) -> dict[PhaseName, list[Point]]:
        """Returns the points of the phases that are run.

        Raises:
            ConfigError: with a line for each phase that is asked for without points, and for a
                point that is to have more replicates and is none.
        """
        declared = self.points.get(config.scale, {})
        with every_rule() as rules:
            for name in config.phases:
                rule = f"without {name!r}: the study declares none at scale {config.scale!r}"
                rules.require(self._can(phase_of(name), declared), "phases", rule, config.phases)
        points: dict[PhaseName, list[Point]] = {
            name: list(declared[name])
            for name in phase_names(lambda phase: phase.name in declared)
            if name in config.phases
        }
        path = "sweep_replicates"
        counts = replicate_counts(path, config.sweep_replicates)
        return {
            name: repeated(path, found, counts) if phase_of(name).is_swept else found
            for name, found in points.items()
        }

    def _can(self, phase: Phase, declared: Mapping[PhaseName, Sequence[Point]]) -> bool:
        """Returns whether the study has what a phase takes its points from."""
        if phase.confirms:
            return any(self._can(p, declared) for p in PHASES.values() if p.best_of)
        if phase.is_declared:
            return bool(declared.get(phase.name))
        return not phase.is_of_space or bool(self.space)

    def varied(self, space: Space) -> list[tuple[str, ...]]:
        """Returns what a space and the design vary, each with what follows it."""
        factors = [(one.path, *one.linked) for one in self.factors if one.path != INERT]
        return [*((path,) for path in space), *factors]

    def space_of(self, config: StudyConfig) -> Space:
        """Returns the space if one of the phases that are run comes to its points, else none.

        Those that confirm others do: the others may have run before.
        """
        phases = [phase_of(name) for name in config.phases]
        comes = any(phase.is_of_space or phase.confirms for phase in phases)
        return self.space if comes else {}


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
