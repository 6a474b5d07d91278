"""What of a configuration determines a network's bytes.

Settings that change nothing where they are, such as the momentum of Adam, are left out: networks
that are equal have equal identities, and a new field splits no old cells.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from lttune.config import DataConfig, ModelConfig, TrainConfig
from lttune.config.lottery.model import is_own_network
from lttune.config.own import is_own_code
from lttune.records.own import own_identity
from lttune.training.schedule import SCHEDULE
from lttune.trajectory.measurements.own import measures_identity


def of_training(config: TrainConfig) -> dict[str, Any]:
    """Returns the fields of the training that matter: all, to a schedule of one's own.

    A length in epochs is trained, and known here, by its steps alone. What is measured of one's own
    changes no network, and is kept with it.
    """
    values = dataclasses.asdict(config)
    del values["epochs"], values["measure"]
    values |= measures_identity(config.measure)
    if is_own_code(config.schedule):
        return values | own_identity(SCHEDULE, config.schedule)
    if config.optimizer not in ("momentum", "nesterov"):
        del values["momentum"]
    if not config.milestones:
        del values["milestones"], values["decay"]
    return _without(values, precision="float32", frozen=(), schedule="milestones")


def of_model(config: ModelConfig) -> dict[str, Any]:
    """Returns the fields of the model that matter."""
    values = dataclasses.asdict(config)
    if config.init != "normal":
        del values["init_std"]
    if is_own_network(config.name):
        # What stands before it is a place; what is there has a digest.
        values["name"] = config.name.rpartition(":")[2]
    if config.init == "module":
        del values["norm_init"]
    return _without(values, init_scale=1.0, norm_init="ones", dropout=0.0)


def of_network(config: ModelConfig, source: str) -> dict[str, Any]:
    """Returns the fields of the model that matter, and the digest of its code if it is not ours."""
    return of_model(config) | ({"source": source} if source else {})


def of_draws(config: DataConfig) -> dict[str, Any]:
    """Returns the fields of the data that matter beside the dataset and its validation split."""
    plain = {"augment": "none", "subsample": 1.0, "label_noise": 0.0, "permute_labels": False}
    return {name: getattr(config, name) for name in plain if getattr(config, name) != plain[name]}


def _without(values: dict[str, Any], **idle: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value != idle.get(name, _ABSENT)}


_ABSENT = object()
