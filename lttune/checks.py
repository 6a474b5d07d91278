"""Checks that a field cannot make alone: the space, the objective's density, the cluster."""

from __future__ import annotations

import socket
from typing import Any

from optuna.distributions import CategoricalDistribution

from lttune.config import LotteryConfig
from lttune.errors import ConfigError, ResourceError
from lttune.lottery import planned_densities
from lttune.models import Network
from lttune.objectives import ObjectiveConfig
from lttune.settings import Space


def check_space(space: Space, base: LotteryConfig, network: Network) -> None:
    """Checks that every corner of the space, one factor at a time, is a valid configuration.

    Raises:
        ConfigError: naming the factor, its value and the rule.
    """
    planned_densities(base, network)
    for path, distribution in space.items():
        if isinstance(distribution, CategoricalDistribution):
            ends: list[Any] = list(distribution.choices)
        else:
            ends = [getattr(distribution, "low"), getattr(distribution, "high")]  # noqa: B009
        for value in ends:
            try:
                planned_densities(base.override({path: value}), network)
            except ConfigError as error:
                raise ConfigError(f"space: {path} = {value!r}: {error}") from error
    if base.prune.scope == "global" and any(p.startswith("prune.fractions") for p in space):
        raise ConfigError(
            "space: prune.fractions.* have no effect when prune.scope is 'global'; "
            "search prune.fraction, or run --phases anchor"
        )


def check_objective(target: ObjectiveConfig, base: LotteryConfig, network: Network) -> None:
    """Checks that the base configuration reaches the density that the objective reads.

    Raises:
        ConfigError: if it does not: every trial would be scored with chance accuracy there.
    """
    reached = planned_densities(base, network)[-1]
    if target.name != "ticket_density" and reached > target.density:
        raise ConfigError(
            f"objective.density must be reached by the base configuration, whose last level has "
            f"density {reached:.3g}; got {target.density!r}; give a larger one or more levels"
        )


def check_address(address: str | None) -> None:
    """Checks that something listens where a Ray cluster is said to be; "auto" is left to Ray.

    Raises:
        ResourceError: if the port cannot be reached within three seconds.
    """
    if address in (None, "local", "auto"):
        return
    host, _, port = str(address).rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=3).close()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ResourceError(f"no Ray cluster answers at address {address!r}: {reason}") from error
