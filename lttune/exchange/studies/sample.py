"""The trials of a study as points of a space, in samples that say what they were drawn for.

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

from lttune.config.design import INERT, Factor
from lttune.errors import ConfigError
from lttune.exchange.studies.folder import Folder, scalar
from lttune.records.ledger import Trial
from lttune.study.search.space import distribution_of

ENDED = ("complete", "stopped", "failed")
"""States of the trials that are exported; others will change yet."""

DISTRIBUTIONS: dict[str, Callable[[Mapping[str, Any]], BaseDistribution]] = {
    "float": lambda d: FloatDistribution(d["low"], d["high"], log=d["log"], step=d["step"]),
    "int": lambda d: IntDistribution(d["low"], d["high"], log=d["log"], step=d["step"]),
    "categorical": lambda d: CategoricalDistribution([scalar(c) for c in d["choices"]]),
}
"""Kind in the space of ``study.json`` -> its distribution."""

SAMPLES = {
    "": ("search", "anchor", "sweep", "design"),
    "-random": ("random",),
    "-confirm": ("confirm",),
    "-sweep": ("anchor", "sweep"),
    "-design": ("design",),
}
"""What follows the study's name in a sample's -> the phases whose trials may be its points."""

DEPTH = {"levels", "min_density"}
"""What a point may set beside the space: how deep its trajectory goes."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Trials that are points of one space."""

    name: str
    """The study's name, with what ``SAMPLES`` has after it."""
    space: dict[str, BaseDistribution]
    """Dotted path -> distribution, with ``inert`` for a design's control factor."""
    points: list[tuple[Trial, dict[str, Any]]]
    """Trials that have ended, each with its values of the space."""


def samples(folder: Folder, flag: str) -> list[Sample]:
    """Returns the samples of a study that have a point.

    A point of the search's space is a trial that changes nothing else and lies in it: beside the
    search's own there are the base configuration and others that its sampler may learn from. A
    sweep has no distributions but the values that were tried, the base configuration's among them.

    Args:
        folder: the study.
        flag: of the command that asks for them.

    Raises:
        ConfigError: if no trial that has ended is a point of the study's space.
    """
    trials = {
        suffix: [t for t in folder.trials if t.phase in phases]
        for suffix, phases in SAMPLES.items()
    }
    space = {p: distribution(d) for p, d in folder.sheet["space"].items()}
    # Sheets of older studies name no factors.
    factors = [Factor.from_plain(f) for f in folder.sheet.get("factors") or []]
    spaces = dict.fromkeys(SAMPLES, space) | {
        "-sweep": _tried(folder, trials["-sweep"]),
        "-design": {factor.path: distribution_of(factor) for factor in factors},
    }
    found = [_sample(folder, suffix, trials[suffix], spaces[suffix]) for suffix in SAMPLES]
    filled = [sample for sample in found if sample.space and sample.points]
    rule = "of a study with trials in its space"
    if not filled:
        raise ConfigError(f"{flag} must be {rule}, got {folder.path}: --csv has all of it")
    return filled


def distribution(described: Mapping[str, Any]) -> BaseDistribution:
    """Returns the distribution that an entry of the space in ``study.json`` describes."""
    return DISTRIBUTIONS[described["kind"]](described)


def contains(distribution: BaseDistribution, value: Any) -> bool:
    """Returns whether a value is one of a distribution's."""
    if isinstance(distribution, CategoricalDistribution):
        return value in distribution.choices
    low, high = getattr(distribution, "low"), getattr(distribution, "high")  # noqa: B009
    return isinstance(value, int | float) and low <= value <= high


def _tried(folder: Folder, trials: Sequence[Trial]) -> dict[str, BaseDistribution]:
    """Returns the values that each hyperparameter has, of those that the trials vary."""
    values = [folder.values(trial) for trial in trials]
    paths = dict.fromkeys(path for trial in trials for path in trial.hparams)
    tried = {path: dict.fromkeys(own.get(path) for own in values) for path in paths}
    return {path: CategoricalDistribution(list(choices)) for path, choices in tried.items()}


def _sample(
    folder: Folder, suffix: str, trials: Iterable[Trial], space: dict[str, BaseDistribution]
) -> Sample:
    points: list[tuple[Trial, dict[str, Any]]] = []
    for trial in trials:
        values = folder.values(trial) | {INERT: trial.inert}
        point = {path: values.get(path) for path in space}
        own = suffix == "-design" or trial.hparams.keys() <= space.keys() | DEPTH
        inside = own and all(contains(space[path], point[path]) for path in space)
        if inside and trial.state in ENDED:
            points.append((trial, point))
    return Sample(name=f"{folder.name}{suffix}", space=space, points=points)
