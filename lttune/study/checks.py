"""Checks that a field cannot make alone: the space, the objective's density, the cluster."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from optuna.distributions import CategoricalDistribution

from lttune.config import LotteryConfig, TargetConfig
from lttune.config.design import Point
from lttune.data import Dataset
from lttune.data.dataset import validation_size
from lttune.data.transforms import outline
from lttune.errors import ConfigError, ResourceError, unknown
from lttune.models import Network
from lttune.records.objectives import ObjectiveConfig
from lttune.study.declared import Space
from lttune.trajectory.branches import ANYWHERE, BRANCHES, TRANSFERS
from lttune.trajectory.lab import network_of
from lttune.trajectory.lottery import planned_densities


def check_space(
    space: Space, base: LotteryConfig, datasets: Mapping[str, Dataset]
) -> list[LotteryConfig]:
    """Checks that every corner of the space, one factor at a time, is a valid configuration.

    Returns:
        The base and the corners.

    Raises:
        ConfigError: naming the factor, its value and the rule.
    """
    check_fit(base, datasets)
    corners = [base]
    for path, distribution in space.items():
        if isinstance(distribution, CategoricalDistribution):
            ends: list[Any] = list(distribution.choices)
        else:
            ends = [getattr(distribution, "low"), getattr(distribution, "high")]  # noqa: B009
        for value in ends:
            try:
                corners.append(base.override({path: value}))
                check_fit(corners[-1], datasets)
            except ConfigError as error:
                raise ConfigError(f"space: {path} = {value!r}: {error}") from error
    if base.prune.scope == "global" and any(p.startswith("prune.fractions") for p in space):
        raise ConfigError(
            "space: prune.fractions.* have no effect when prune.scope is 'global'; "
            "search prune.fraction, or run --phases anchor"
        )
    return corners


def check_points(
    points: Iterable[Point], base: LotteryConfig, datasets: Mapping[str, Dataset]
) -> list[LotteryConfig]:
    """Checks that every point of the designs is a valid configuration, and returns them.

    Raises:
        ConfigError: naming the point and what is wrong.
    """
    configs = []
    for point in points:
        try:
            configs.append(base.override(point.hparams))
            check_fit(configs[-1], datasets)
        except ConfigError as error:
            raise ConfigError(f"point {point.label!r}: {error}") from error
    return configs


def check_fit(config: LotteryConfig, datasets: Mapping[str, Dataset]) -> None:
    """Checks that a configuration's network, data and pruning fit together.

    Raises:
        ConfigError: if they do not.
    """
    dataset = datasets[config.data.name]
    validation_size(dataset, config.data.validation)
    planned_densities(config, network_of(config, dataset))
    target = config.target.dataset(config.data)
    config.target.training(config.train)
    source_shape, classes = outline(dataset, config.data)
    validation_size(datasets[target.name], target.validation)
    shape, target_classes = outline(datasets[target.name], target)
    if shape != source_shape or target_classes > classes:
        raise ConfigError(
            f"target.data must have pictures of shape {source_shape} and at most {classes} "
            f"classes, got {target.name!r} with {shape} and {target_classes}"
        )
    pretrain = config.pretrain.dataset(config.data)
    before = outline(datasets[pretrain.name], pretrain)[0]
    if config.pretrain.steps > 0 and before != source_shape:
        raise ConfigError(
            f"pretrain.data must have pictures of shape {source_shape}, got {pretrain.name!r} with "
            f"{before}"
        )


def check_controls(controls: Sequence[str], config: LotteryConfig) -> None:
    """Checks that every control can be trained beside a configuration.

    Raises:
        ConfigError: naming the control and what it lacks.
    """
    for name in controls:
        if name not in BRANCHES:
            raise unknown("control", name, BRANCHES)
        if name in TRANSFERS and config.target == TargetConfig():
            raise ConfigError(
                f"target must be given for the control {name!r}, e.g. target.data, got None for all"
            )
        if name in ANYWHERE and config.prune.structure == "channel":
            raise ConfigError(
                f"prune.structure must be 'weight' for the control {name!r}, got 'channel'"
            )
        if name == "sibling" and config.method == "supermask":
            raise ConfigError("method must be 'prune' for the control 'sibling', got 'supermask'")


def check_objective(objective: ObjectiveConfig, base: LotteryConfig, network: Network) -> None:
    """Checks that the base configuration reaches the density that the objective reads.

    Raises:
        ConfigError: if it does not: every trial would be scored with chance accuracy there.
    """
    if base.method == "supermask":
        return  # The mask's density is learned.
    reached = planned_densities(base, network)[-1]
    if "ticket_density" not in objective.measures and reached > objective.density:
        raise ConfigError(
            f"objective.density must be reached by the base configuration, whose last level has "
            f"density {reached:.3g}; got {objective.density!r}; give a larger one or more levels"
        )


REACHED_S, ANSWERED_S = 3.0, 3.0
"""Seconds within which the address of a cluster must take a connection, and then answer."""

_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5)
"""What a client of HTTP/2, over which Ray's gRPC goes, begins with: its preface, no settings."""
_SETTINGS = 4
"""Kind of the frame that a server of HTTP/2 begins with, told by its fourth byte."""


def check_address(address: str | None) -> None:
    """Checks that a Ray cluster may be where it is said to be; "auto" is left to Ray.

    Raises:
        ResourceError: if nothing takes a connection within ``REACHED_S``, or what does answers
            nothing within ``ANSWERED_S`` or not as Ray would.
    """
    if address in (None, "local", "auto"):
        return
    host, _, port = str(address).rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=REACHED_S) as peer:
            # What encrypts its connections begins otherwise.
            encrypted = os.environ.get("RAY_USE_TLS", "0").lower() in ("1", "true")
            if encrypted or _answers_as_ray(peer):
                return
        reason, cause = "what listens there is no Ray cluster", None
    except TimeoutError as error:
        reason, cause = "it gives no answer", error
    except (OSError, OverflowError) as error:
        reason, cause = getattr(error, "strerror", None) or error, error
    raise ResourceError(f"no Ray cluster answers at address {address!r}: {reason}") from cause


def _answers_as_ray(peer: socket.socket) -> bool:
    peer.settimeout(ANSWERED_S)
    peer.sendall(_HELLO)
    return peer.recv(_SETTINGS)[3:] == bytes([_SETTINGS])
