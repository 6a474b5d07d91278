"""Lengths in epochs, as the optimizer steps that they are: known as soon as the data is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lttune.config import DataConfig, LotteryConfig
from lttune.config.lottery.length import STEPS_OF
from lttune.config.rules import MOST_STEPS, WHY_STEPS, every_rule
from lttune.data.dataset import Dataset
from lttune.data.drawn import counted
from lttune.data.transforms import training_size
from lttune.errors import ConfigError


def steps_of_epoch(dataset: Dataset, data: DataConfig, batch_size: int) -> int:
    """Returns how many batches an epoch is trained in; the last holds what is left.

    Args:
        dataset: as it was loaded.
        data: what is done to it; validation's examples are no part of an epoch.
        batch_size: examples a step.

    Raises:
        ConfigError: if validation leaves no example.
    """
    return -(-training_size(dataset, data) // batch_size)


@dataclass(frozen=True, kw_only=True)
class CountedLength:
    """A length in epochs, and what it is in steps."""

    path: str
    """Of the epochs."""
    epochs: float
    of_epoch: int
    """Steps of one."""

    @property
    def steps(self) -> int:
        """All steps; a part of an epoch is rounded down."""
        return counted(self.epochs, self.of_epoch)

    def __str__(self) -> str:
        """Returns the length in both units."""
        return f"{self.path} {self.epochs:g}: {self.steps:,} steps, {self.of_epoch:,} an epoch"


def counted_lengths(
    config: LotteryConfig, datasets: Mapping[str, Dataset]
) -> Iterator[CountedLength]:
    """Yields the lengths that a configuration gives in epochs.

    Args:
        config: of a trajectory.
        datasets: by name: those that such a length counts passes over.

    Raises:
        ConfigError: if validation leaves no example of one.
    """
    data, target, pretrain = config.data, config.target, config.pretrain
    batch_size = config.train.batch_size
    for path, epochs, used, size in (
        ("train.epochs", config.train.epochs, data, batch_size),
        ("pretrain.epochs", pretrain.epochs, pretrain.dataset(data), batch_size),
        ("target.epochs", target.epochs, target.dataset(data), target.batch_size or batch_size),
    ):
        if epochs is not None:
            of_epoch = steps_of_epoch(datasets[used.name], used, size)
            yield CountedLength(path=path, epochs=epochs, of_epoch=of_epoch)


def in_steps(config: LotteryConfig, datasets: Mapping[str, Dataset]) -> LotteryConfig:
    """Returns a configuration with the steps of each length in epochs, which stay beside them.

    Whoever has one already gets the same again. What depends on the number of steps, and could not
    be checked before, is checked.

    Args:
        config: of a trajectory.
        datasets: as of ``counted_lengths``.

    Raises:
        ConfigError: if a length is less than a step or too many, or a rule that goes by the number
            of steps is broken.
    """
    if not config.has_epochs:
        return config
    lengths = list(counted_lengths(config, datasets))
    with every_rule(part=False) as rules:
        for one in lengths:
            rule = f"one step or more, and an epoch has {one.of_epoch:,}"
            rules.require(one.steps >= 1, one.path, rule, one.epochs)
            rule = f"at most {MOST_STEPS} steps ({WHY_STEPS}), and an epoch has {one.of_epoch:,}"
            rules.require(one.steps <= MOST_STEPS, one.path, rule, one.epochs)
    steps = {STEPS_OF[one.path]: one.steps for one in lengths}
    try:
        plain = config.override(steps)  # In steps alone, so that their rules are looked at.
    except ConfigError as error:
        raise error.within("; ".join(map(str, lengths))) from error
    return plain.override({one.path: one.epochs for one in lengths})
