"""What the settings, the space and the points of a study name: datasets, controls, other parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from lttune.config import LotteryConfig
from lttune.config.lottery.data import DATASET_SETTINGS
from lttune.study.checks.configurations import KnownPoint
from lttune.study.declared import Space


def control_names(controls: Iterable[str], points: Iterable[KnownPoint]) -> list[str]:
    """Returns the names of all controls, of the anchor and of points, each once."""
    names = [*controls, *(name for point in points for name in point.controls)]
    # What is none has a line of its own.
    return list(dict.fromkeys(name for name in names if isinstance(name, str)))


def named_datasets(
    base: LotteryConfig, space: Space, points: Sequence[KnownPoint]
) -> dict[str, str]:
    """Returns name -> first setting that names it of all datasets of a study, the base's first."""
    values, found = base.flat(), dict[str, str]()
    own = ((path, values[path]) for path in DATASET_SETTINGS if values[path])
    for path, name in (*own, *varied_names(DATASET_SETTINGS, space, points)):
        found.setdefault(name, path)
    return found


def varied_names(
    paths: Iterable[str], space: Space, points: Sequence[KnownPoint]
) -> Iterator[tuple[str, str]]:
    """Yields hyperparameters and their values that are names, of the space and of the points."""
    for path in paths:
        values = [*getattr(space[path], "choices", ())] if path in space else []
        values += [point.hparams[path] for point in points if path in point.hparams]
        yield from ((path, value) for value in values if isinstance(value, str))
