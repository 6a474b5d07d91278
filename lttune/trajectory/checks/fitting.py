"""What the parts of a configuration must be to each other and to the data, before any training."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import torch

from lttune.config import LotteryConfig, ModelConfig, TargetConfig, TrainConfig
from lttune.config.own import is_own_code, require_row_or_own
from lttune.config.rules import every_rule
from lttune.data import Dataset
from lttune.data.epochs import in_steps
from lttune.data.transforms import require_batch, shape_and_classes, training_size
from lttune.errors import ConfigError
from lttune.models import Network
from lttune.pruning.densities import require_survivors
from lttune.trajectory.branches import ANYWHERE, BRANCHES, FROM_END, TRANSFERS, WITH_BARRIER
from lttune.trajectory.lab import network_of


def check_fit(config: LotteryConfig, datasets: Mapping[str, Dataset]) -> LotteryConfig:
    """Checks that a configuration's network, data, training and pruning fit together.

    Returns:
        It, with the steps of what it gives in epochs.

    Raises:
        ConfigError: if they do not, with a line for each reason.
    """
    dataset, data = datasets[config.data.name], config.data
    with every_rule(part=False) as rules:
        size = rules.attempt(lambda: _trained_on(config, dataset))
        counted: LotteryConfig | None = None
        if size is not None or not config.has_epochs:  # Else there is nothing to count.
            counted = rules.attempt(lambda: in_steps(config, datasets))
        found = rules.attempt(lambda: shape_and_classes(dataset, data))
        if found is not None:
            network = rules.attempt(lambda: network_of(config, dataset))
            if network is not None:
                rules.attempt(lambda: require_survivors(config, network))
            if counted is not None:
                if network is not None:
                    rules.attempt(lambda: _check_last_batch(counted, size, network, found[0]))
                rules.attempt(lambda: _check_target(counted, datasets, *found))
                rules.attempt(lambda: _check_pretraining(counted, datasets, found[0]))
        return config if counted is None else counted


def _trained_on(config: LotteryConfig, dataset: Dataset) -> int:
    """Returns how many examples are trained on, after a look at whether a batch takes as many."""
    require_batch("train.batch_size", config.train.batch_size, dataset, config.data)
    return training_size(dataset, config.data)


def _check_last_batch(
    config: LotteryConfig, size: int | None, network: Network, shape: tuple[int, ...]
) -> None:
    """Checks that a network can be trained on the last batch of an epoch: what is left of it.

    Of a single picture whose map is a single pixel, batch norm has no deviation.

    Args:
        config: of the trajectory.
        size: examples that are trained on; None where something is wrong with their number.
        network: the architecture.
        shape: of a picture.
    """
    batch = config.train.batch_size
    if size is None or (size % batch or batch) != 1 or config.train.steps < math.ceil(size / batch):
        return
    try:
        network.opened("meta").train()(torch.zeros(1, *shape, device=network.built_on))
    except ValueError as error:
        raise ConfigError(
            f"train.batch_size must leave no single picture of the {size:,} that are trained on, "
            f"got {batch}: {error}"
        ) from error


def _check_target(
    config: LotteryConfig, datasets: Mapping[str, Dataset], source: tuple[int, ...], classes: int
) -> None:
    """Checks that a ticket of pictures of a shape and so many classes can go to the target."""
    target = config.target.dataset(config.data)
    batch_size = config.target.training(config.train).batch_size
    if config.target != TargetConfig():
        require_batch("target.batch_size", batch_size, datasets[target.name], target)
    shape, target_classes = shape_and_classes(datasets[target.name], target)
    if shape != source or target_classes > classes:
        raise ConfigError(
            f"target.data must have pictures of shape {source} and at most {classes} "
            f"classes, got {target.name!r} with {shape} and {target_classes}"
        )


def _check_pretraining(
    config: LotteryConfig, datasets: Mapping[str, Dataset], source: tuple[int, ...]
) -> None:
    """Checks that pictures of a shape can follow the pretraining, if there is one."""
    pretrain = config.pretrain.dataset(config.data)
    if config.pretrain.steps == 0:
        return
    before = shape_and_classes(datasets[pretrain.name], pretrain)[0]
    if before != source:
        raise ConfigError(
            f"pretrain.data must have pictures of shape {source}, got {pretrain.name!r} with "
            f"{before}"
        )
    dataset = datasets[pretrain.name]
    require_batch("train.batch_size", config.train.batch_size, dataset, pretrain)
    network_of(dataclasses.replace(config, data=pretrain), dataset)


@dataclass(frozen=True, kw_only=True)
class ReadByFew:
    """An option that some configurations do not read."""

    path: str
    default: float
    readers: str
    """Who reads it, in words with a verb."""
    reads: Callable[[LotteryConfig], bool]


READ_BY_FEW = (
    ReadByFew(
        path="train.momentum",
        default=TrainConfig().momentum,
        readers="the optimizers momentum and nesterov read",
        reads=lambda config: any(
            one.optimizer in ("momentum", "nesterov")
            for one in (config.train, config.target.training(config.train))
        ),
    ),
    ReadByFew(
        path="train.decay",
        default=TrainConfig().decay,
        readers="a training with train.milestones reads",
        reads=lambda config: bool(config.train.milestones) or is_own_code(config.train.schedule),
    ),
    ReadByFew(
        path="model.init_std",
        default=ModelConfig().init_std,
        readers="the initialisation normal reads",
        reads=lambda config: config.model.init == "normal",
    ),
)
"""Options of one optimizer, schedule or initialisation."""


def check_idle(base: LotteryConfig, reached: Collection[LotteryConfig]) -> None:
    """Checks that the base configuration gives no option that nothing in the study reads.

    Args:
        base: the base configuration.
        reached: all that the study can come to, the base among them.

    Raises:
        ConfigError: naming each such option at another value than its default.
    """
    values = base.flat()
    with every_rule() as rules:
        for option in READ_BY_FEW:
            value = values[option.path]
            ok = value == option.default or any(map(option.reads, reached))
            rule = f"left at {option.default!r}, since only {option.readers} it"
            rules.require(ok, option.path, rule, value)


def check_controls(controls: Sequence[str], config: LotteryConfig) -> None:
    """Checks that every control can be trained beside a configuration.

    Raises:
        ConfigError: naming each control and what it lacks.
    """
    with every_rule() as rules:
        for name in controls:
            require_row_or_own(rules, "control", name, BRANCHES)
            ok = name not in TRANSFERS or config.target != TargetConfig()
            rule = f"given for the control {name!r}, e.g. target.data"
            rules.require(ok, "target", rule, None)
            ok = name not in ANYWHERE or config.prune.structure != "channel"
            rules.require(ok, "prune.structure", f"'weight' for the control {name!r}", "channel")
            ok = name not in WITH_BARRIER | FROM_END or config.method != "supermask"
            rules.require(ok, "method", f"'prune' for the control {name!r}", "supermask")
