"""Checks that a field cannot make alone: the space, the objective's density, the memory."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from optuna.distributions import BaseDistribution, CategoricalDistribution

from lttune.config import LotteryConfig
from lttune.config.fields import is_number
from lttune.config.lottery.length import COUNTED_BY, STEPS_OF
from lttune.config.rules import every_rule
from lttune.data import Dataset
from lttune.data.epochs import in_steps
from lttune.errors import MOST_LISTED, ConfigError
from lttune.models import Network
from lttune.records.capacity import capacity
from lttune.study.declared import Space
from lttune.trajectory.checks import check_controls, check_fit
from lttune.trajectory.measurements.own import MEASURE

LENGTH_FIELDS = (
    *COUNTED_BY,
    *STEPS_OF,
    *STEPS_OF.values(),
    *("train.warmup_steps", "train.eval_every", "rewind_step", "prune.step"),
)
"""Settings that decide about steps together where a length is in epochs."""


class KnownPoint(Protocol):
    """A point that is known before anything starts, whoever names it."""

    @property
    def label(self) -> str:
        """Its name for people."""
        ...

    @property
    def hparams(self) -> Mapping[str, Any]:
        """Dotted path -> value: what the base configuration is overridden with."""
        ...

    @property
    def controls(self) -> Sequence[str]:
        """Controls that are trained beside the ticket."""
        ...


def check_space(
    space: Space, base: LotteryConfig, datasets: Mapping[str, Dataset]
) -> list[LotteryConfig]:
    """Checks that every corner of the space, one factor at a time, is a valid configuration.

    Where epochs are counted, so are all corners of what decides about their steps.

    Returns:
        The base and the corners, with the steps of what they give in epochs.

    Raises:
        ConfigError: naming each factor, its value and the rule; of the base first, whose faults
            every corner has.
    """
    base = check_fit(base, datasets)
    corners = [base]
    with every_rule() as rules:
        for path, distribution in space.items():
            reasons = set[str]()  # Not the value's, of a path that is no field.
            for value in ends(distribution):
                try:
                    corners.append(check_fit(base.override({path: value}), datasets))
                except ConfigError as error:
                    if str(error) not in reasons:
                        rules.note(error.within(f"space: {path} = {value!r}"))
                    reasons.add(str(error))
        if base.prune.scope == "global" and any(p.startswith("prune.fractions") for p in space):
            rules.note(
                ConfigError(
                    "space: prune.fractions.* have no effect when prune.scope is 'global'; "
                    "search prune.fraction, or run --phases anchor"
                )
            )
        if not rules.broken:
            rules.attempt(lambda: _check_lengths(space, base, datasets))
    return corners


def ends(distribution: BaseDistribution) -> list[Any]:
    """Returns the outermost values of a distribution, all of one whose values have no order."""
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    return [getattr(distribution, "low"), getattr(distribution, "high")]  # noqa: B009


def _outermost(values: Sequence[Any]) -> list[Any]:
    """Returns the least and the greatest number, and all that are none."""
    numbers = [value for value in values if is_number(value)]
    others = [value for value in values if not is_number(value)]
    return [*others, *dict.fromkeys((min(numbers), max(numbers)) if numbers else ())]


def _check_lengths(space: Space, base: LotteryConfig, datasets: Mapping[str, Dataset]) -> None:
    """Checks lengths in epochs at all corners of the factors that decide about steps.

    Raises:
        ConfigError: naming the first corner whose steps break a rule.
    """
    paths = [path for path in LENGTH_FIELDS if path in space]
    if not base.has_epochs and space.keys().isdisjoint(STEPS_OF):
        return
    # Steps, and the rules that go by them, are monotone in each number.
    for values in itertools.product(*(_outermost(ends(space[path])) for path in paths)):
        corner = dict(zip(paths, values, strict=True))
        try:
            in_steps(base.override(corner), datasets)
        except ConfigError as error:
            where = ", ".join(f"{path} = {value!r}" for path, value in corner.items())
            raise error.within(f"space: {where}") from error


def check_points(
    points: Iterable[KnownPoint],
    base: LotteryConfig,
    datasets: Mapping[str, Dataset],
    told: Sequence[str] = (),
) -> list[LotteryConfig]:
    """Checks that every point is a valid configuration, and returns them.

    They have the steps of what they give in epochs.

    Args:
        points: are read once.
        base: configuration, which they override.
        datasets: by name.
        told: lines of mistakes that points may have too, such as a factor's: they are none of the
            points' own.

    Raises:
        ConfigError: with a line for each fault of the first few points that are none. One that
            many have is the first one's.
    """
    configs, reasons, listed, unlisted = list[LotteryConfig](), set[str](), 0, 0
    with every_rule() as rules:
        for point in points:
            try:
                with every_rule(part=False):
                    one = check_fit(base.override(point.hparams), datasets)
                    check_controls(point.controls, one)
                    configs.append(one)
            except ConfigError as error:
                lines = str(error).split("\n")
                own = [line for line in lines if not any(t.endswith(f": {line}") for t in told)]
                new = [line for line in own if line not in reasons]
                reasons.update(own)
                if new and listed < MOST_LISTED:
                    listed += 1
                    rules.note(ConfigError("\n".join(new)).within(f"point {point.label!r}"))
                elif own:
                    unlisted += 1
        if unlisted:
            rest = f"{unlisted} more are not" if unlisted > 1 else "1 more is not"
            rules.note(ConfigError(f"points must be valid configurations, and {rest}"))
    return configs


def check_same_measures(space: Space, points: Iterable[KnownPoint]) -> None:
    """Checks that all trials are measured by the same functions.

    What changes no network is no factor.

    Raises:
        ConfigError: naming the space, or the first point that asks for others.
    """
    places = ["space"] if MEASURE in space else []
    places += [f"point {point.label!r}" for point in points if MEASURE in point.hparams]
    if places:
        raise ConfigError(f"{places[0]}: {MEASURE} must be left out: it is the same for all trials")


BYTES_OF_WEIGHT = 16
"""Bytes that training a weight takes at least: its value, gradient and two moments."""


def check_memory(networks: Iterable[Network]) -> None:
    """Checks that each network can be trained in the memory that this job may use.

    Raises:
        ConfigError: with what the first one that cannot needs; the system would end its worker.
    """
    most = capacity().memory
    for network in networks:
        weights = sum(map(math.prod, network.shapes.values()))
        if most is not None and BYTES_OF_WEIGHT * weights > most:
            raise ConfigError(
                f"model.name must be a network that {most / 1e9:,.1f} GB of memory can train, got "
                f"{network.config.name!r}, whose {weights:,} weights need "
                f"{BYTES_OF_WEIGHT * weights / 1e9:,.0f}"
            )
