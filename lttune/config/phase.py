"""The phases that a study goes through, in one table: what each one is.

Settings, plan, search, confirmation, console, exports and analysis loop over ``PHASES``. A new
phase is a row of it and a name in ``PhaseName``; one whose points come from elsewhere has a row of
its own in ``ORIGINS``, a function in ``lttune.study.phases.planned`` and, unless it is known
beforehand, one in ``lttune.study.search.searcher``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from lttune.errors import unknown

PhaseName = Literal["anchor", "sweep", "design", "tune", "search", "random", "confirm"]
"""The names of ``PHASES``, in its order."""

Origin = Literal["base", "declared", "proposed", "drawn", "winners"]
"""base: the base configuration; declared: points of the study file; proposed, drawn: points of the
study's space that a sampler proposes, or that chance alone draws; winners: the best of others."""


@dataclass(frozen=True, kw_only=True)
class PointSource:
    """What holds of the points of one origin, in whichever phase."""

    needs: Literal["space", "points"] | None = None
    """What of a study they are taken from: its space, whose ends are then checked before anything
    starts, or the points that it declares; None if from neither."""
    is_known_beforehand: bool = True
    """Whether they are known before any trial has ended: planned at once, and checked if they are
    neither the base nor declared."""


ORIGINS: dict[Origin, PointSource] = {
    "base": PointSource(),
    "declared": PointSource(needs="points"),
    "proposed": PointSource(needs="space", is_known_beforehand=False),
    "drawn": PointSource(needs="space", is_known_beforehand=False),
    "winners": PointSource(is_known_beforehand=False),
}
"""Where points come from -> what holds of them."""


@dataclass(frozen=True, kw_only=True)
class Phase:
    """One phase."""

    name: PhaseName
    told: str
    """What a person reads of it."""
    origin: Origin
    """Where its points come from."""
    ends_with_objective: bool = False
    """Whether its trials end at the density that the objective reads; others go on to the base
    configuration's end."""
    is_learned_from: bool = False
    """Whether the search learns its points; all but the base's before it proposes any."""
    best_of: Literal["phase", "value"] | None = None
    """Of what its best trial is confirmed: of the whole phase, or of each value that the study
    compares; None if none of it is."""
    is_read_by_claims: bool = False
    """Whether claims are judged by its networks: planned before any result, at the settings of
    sources and around them."""
    exported_over: Literal["space", "tried", "factors"] | None = None
    """What its trials are points of in a database of their own: the study's space, the values that
    were tried (the base configuration's too), or the design's factors; None if they have none. The
    report counts those of tried values as sweeps, those of factors as a design."""
    called: str = ""
    """What a legend calls its trials; empty is its name."""

    @property
    def is_known_beforehand(self) -> bool:
        """Whether its trials are known before any other has ended."""
        return ORIGINS[self.origin].is_known_beforehand

    @property
    def is_of_space(self) -> bool:
        """Whether its points are taken from the study's space, by whomever."""
        return ORIGINS[self.origin].needs == "space"

    @property
    def is_declared(self) -> bool:
        """Whether its points are taken from those that the study declares for it."""
        return ORIGINS[self.origin].needs == "points"

    @property
    def is_awaited(self) -> bool:
        """Whether the search proposes nothing before it has ended: it starts with its points."""
        return self.is_learned_from and not self.is_base

    @property
    def is_candidate(self) -> bool:
        """Whether its trials may be the best; of those that confirm others, one has won already."""
        return not self.confirms

    @property
    def confirms(self) -> bool:
        """Whether it trains the best of other phases again."""
        return self.origin == "winners"

    @property
    def is_base(self) -> bool:
        """Whether its trials are replicates of the base configuration."""
        return self.origin == "base"

    @property
    def is_swept(self) -> bool:
        """Whether its points are values of one factor each."""
        return self.exported_over == "tried"

    @property
    def is_design(self) -> bool:
        """Whether its points are spread over the study's factors together."""
        return self.exported_over == "factors"

    @property
    def is_tuning(self) -> bool:
        """Whether it looks for the best hyperparameters of each value that is compared."""
        return self.best_of == "value"

    @property
    def is_proposed(self) -> bool:
        """Whether a sampler proposes its points."""
        return self.origin == "proposed"

    @property
    def is_drawn(self) -> bool:
        """Whether chance alone draws its points from the study's space."""
        return self.origin == "drawn"

    @property
    def title(self) -> str:
        """What a legend calls its trials."""
        return self.called or self.name


PHASES: dict[str, Phase] = {
    phase.name: phase
    for phase in (
        Phase(
            name="anchor",
            told="the base configuration with its controls",
            origin="base",
            called="base configuration",
            is_learned_from=True,
            is_read_by_claims=True,
        ),
        Phase(
            name="sweep",
            told="points that the study declares, around the base configuration",
            origin="declared",
            is_learned_from=True,
            is_read_by_claims=True,
            exported_over="tried",
        ),
        Phase(
            name="design",
            told="points that the study declares, spread over its factors",
            origin="declared",
            is_learned_from=True,
            exported_over="factors",
            called="the design's points",
        ),
        Phase(
            name="tune",
            told="points that the study declares, as many for each value that is compared",
            origin="declared",
            ends_with_objective=True,
            best_of="value",
        ),
        Phase(
            name="search",
            told="what Optuna proposes",
            origin="proposed",
            ends_with_objective=True,
            best_of="phase",
        ),
        Phase(
            name="random",
            told="the control of the search, as many trials drawn uniformly from the same space",
            origin="drawn",
            called="random control",
            ends_with_objective=True,
            best_of="phase",
            exported_over="space",
        ),
        Phase(
            name="confirm",
            told=(
                "the best trial of search and of random, of tune the best of each value that is "
                "compared, and the base configuration, in full depth on replicates that nothing "
                "else was trained on"
            ),
            origin="winners",
            exported_over="space",
        ),
    )
}
"""Name -> phase, in the order in which a study goes through them."""


def phase_of(name: str) -> Phase:
    """Returns the phase of a name.

    Raises:
        ConfigError: if there is none.
    """
    if name not in PHASES:
        raise unknown("phase", name, PHASES)
    return PHASES[name]


def phase_names(which: Callable[[Phase], object]) -> tuple[PhaseName, ...]:
    """Returns the names of the phases for which ``which`` holds, in order."""
    return tuple(phase.name for phase in PHASES.values() if which(phase))


def phases_told() -> str:
    """Returns what a person reads of all phases, in one line."""
    return "; ".join(f"{phase.name}: {phase.told}" for phase in PHASES.values())
