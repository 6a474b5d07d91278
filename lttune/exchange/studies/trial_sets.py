"""The trials of a study as points of a space, in sets that say what they were drawn for.

They are kept apart: a search, its random control, a sweep and a design have distributions of their
own, or importances that mean different things.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from lttune.config import DEPTH
from lttune.config.design import INERT, Factor
from lttune.config.phase import PHASES, phase_names, phase_of
from lttune.errors import ConfigError, StorageError, quoted
from lttune.exchange.studies.folder import Folder, scalar
from lttune.records.ledger import OVER, Trial
from lttune.study.search.space import distribution_of

DISTRIBUTIONS: dict[str, Callable[[Mapping[str, Any]], BaseDistribution]] = {
    "float": lambda d: FloatDistribution(d["low"], d["high"], log=d["log"], step=d["step"]),
    "int": lambda d: IntDistribution(d["low"], d["high"], log=d["log"], step=d["step"]),
    "categorical": lambda d: CategoricalDistribution([scalar(c) for c in d["choices"]]),
}
"""Kind in the space of ``study.json`` -> its distribution."""


@dataclass(frozen=True, kw_only=True)
class TrialSet:
    """Trials that are points of one space."""

    name: str
    """The study's name; after it, but for the search's, "-" and the phase's."""
    space: dict[str, BaseDistribution]
    """Dotted path -> distribution, with ``inert`` for a design's control factor."""
    points: list[tuple[Trial, dict[str, Any]]]
    """Trials that have ended, each with its values of the space."""


def trial_sets(folder: Folder, flag: str) -> list[TrialSet]:
    """Returns the sets of trials of a study that have a point.

    A point of the search's space is a trial that changes nothing else and lies in it: beside the
    search's own there are the base configuration and others that its sampler may learn from. A
    sweep has no distributions but the values that were tried, the base configuration's among them.

    Args:
        folder: the study.
        flag: of the command that asks for them.

    Raises:
        ConfigError: if no trial that has ended is a point of the study's space.
    """
    learned = phase_names(lambda phase: phase.is_learned_from or phase.is_proposed)
    search = [trial for trial in folder.trials if trial.phase in learned]
    found = [_within(folder, folder.name, search, _space(folder, []))]
    for phase in PHASES.values():
        if phase.exported_over is not None:
            base = phase.is_swept
            trials = [
                trial
                for trial in folder.trials
                if trial.phase == phase.name or (base and phase_of(trial.phase).is_base)
            ]
            space = SPACES[phase.exported_over](folder, trials)
            points = _points if phase.is_design else _within
            found.append(points(folder, f"{folder.name}-{phase.name}", trials, space))
    filled = [chosen for chosen in found if chosen.space and chosen.points]
    rule = "of a study with trials in its space"
    if not filled:
        raise ConfigError(f"{flag} must be {rule}, got {folder.path}: --csv has all of it")
    return filled


def distribution(described: Mapping[str, Any]) -> BaseDistribution:
    """Returns the distribution that an entry of the space in ``study.json`` describes.

    Raises:
        StorageError: if it describes none.
    """
    try:
        return DISTRIBUTIONS[described["kind"]](described)
    except (ArithmeticError, KeyError, TypeError, ValueError):
        text = f"study.json: space must be of distributions, got {quoted(dict(described))}"
        raise StorageError(text) from None


def contains(distribution: BaseDistribution, value: Any) -> bool:
    """Returns whether a value is one of a distribution's."""
    if isinstance(distribution, CategoricalDistribution):
        return value in distribution.choices
    low, high = getattr(distribution, "low"), getattr(distribution, "high")  # noqa: B009
    return isinstance(value, int | float) and low <= value <= high


def _space(folder: Folder, trials: Sequence[Trial]) -> dict[str, BaseDistribution]:
    """Returns the space of the study."""
    return {path: distribution(described) for path, described in folder.sheet["space"].items()}


def _tried(folder: Folder, trials: Sequence[Trial]) -> dict[str, BaseDistribution]:
    """Returns the values that each hyperparameter has, of those that the trials vary."""
    paths = dict.fromkeys(path for trial in trials for path in trial.hparams)
    columns = folder.columns(paths, trials)
    tried = {path: list(dict.fromkeys(values)) for path, values in columns.items()}
    return {path: CategoricalDistribution(choices) for path, choices in tried.items()}


def _factors(folder: Folder, trials: Sequence[Trial]) -> dict[str, BaseDistribution]:
    """Returns the factors of the design; sheets of older studies name none."""
    factors = [Factor.from_plain(factor) for factor in folder.sheet.get("factors") or []]
    return {factor.path: distribution_of(factor) for factor in factors}


SPACES = {"space": _space, "tried": _tried, "factors": _factors}
"""What a phase is exported over -> the distributions of its trials."""


def _within(
    folder: Folder, name: str, trials: Iterable[Trial], space: dict[str, BaseDistribution]
) -> TrialSet:
    """Returns the set of the trials that set nothing beside a space."""
    alone = [trial for trial in trials if trial.hparams.keys() <= {*space, *DEPTH}]
    return _points(folder, name, alone, space)


def _points(
    folder: Folder, name: str, trials: Iterable[Trial], space: dict[str, BaseDistribution]
) -> TrialSet:
    """Returns the set of the trials that have ended and lie in a space."""
    points: list[tuple[Trial, dict[str, Any]]] = []
    for trial in trials:
        values = folder.values(trial) | {INERT: trial.inert}
        point = {path: values.get(path) for path in space}
        inside = all(contains(space[path], point[path]) for path in space)
        if inside and trial.state in OVER:  # Others will change yet.
            points.append((trial, point))
    return TrialSet(name=name, space=space, points=points)
